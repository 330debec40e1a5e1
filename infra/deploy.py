"""`./inv deploy`: from an empty account, or a running stack, to this commit running and healthy."""

import contextlib
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra import deploy_linked_roles, images_docker, images_source
from infra.asking import agreed
from infra.deploy_place import Place, look, require_pulumi
from infra.deploy_stack import PulumiStack
from infra.deploy_state import State
from infra.images import TARGETS, Build
from infra.images_docker import Say
from infra.operations.health import await_health
from infra.operations.rollout import RolloutError, deployments, follow
from infra.rendering import ROOT, Declared
from outpost.errors import OutpostError
from runbooks.target import Target

REPOSITORY = "aws:ecr/repository:Repository"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a deployment is going to do, found out without changing anything.

    `repositories` are URNs of what must exist before images can be pushed: empty when all do. `build` is what
    the registry does not have: None when it has all.
    """

    place: Place
    state: State
    tag: str
    repositories: tuple[str, ...]
    build: Build | None

    def calls(self) -> list[str]:
        """For people, in order."""
        found = [*deploy_linked_roles.calls(), *self.state.calls(self.place)]
        if self.repositories:
            found.append(
                f"pulumi up, only the image repositories and what they need ({len(self.repositories)})"
            )
        if self.build:
            found.append("ecr:GetAuthorizationToken, docker login")
            found += [shlex.join(command) for command in self.build.commands(self.place.registry)]
        return [
            *found,
            f"pulumi up, all of the stack {self.place.target.stack} with images of {self.tag}",
            f"ecs:DescribeServices until its tasks run, GET /health until it is healthy and of {self.tag}",
        ]


def run(stack: str, say: Say, *, preview_only: bool, yes: bool, dirty: bool) -> Mapping[str, Any]:
    """The whole of it: look, say what will be done, ask, do it. Gives the stack's outputs, or the preview."""
    require_pulumi()
    place = look(Target.from_environment(stack=stack))
    say(f"deploy: {place}")
    settings = place.settings
    architectures = settings.image_architectures or (settings.architecture,)
    build = Build(tag=images_source.tag(ROOT, dirty=dirty), architectures=architectures)
    planned = plan(place, State.of(place, os.environ), build)
    for call in planned.calls():
        say(f"  will call: {call}")
    if preview_only:
        return preview(planned, say)
    if planned.build:
        images_docker.require_docker()
    if not agreed(f"Deploy {planned.tag} to {place}?", yes=yes):
        raise OutpostError("declined", "Nothing was changed.")
    return carry_out(planned, say)


def plan(place: Place, state: State, build: Build) -> Plan:
    """Looks at the registry. Raises `OutpostError` when the program does not run for the stack."""
    ecr = place.client("ecr")
    missing = [name for name in TARGETS.values() if not _has_repository(ecr, name)]
    if missing:
        urns = tuple(Declared.of_stack(place.target.stack).needed_by({REPOSITORY}))
        return Plan(place=place, state=state, tag=build.tag, repositories=urns, build=build)
    left = images_docker.missing(ecr, build)
    return Plan(place=place, state=state, tag=build.tag, repositories=(), build=left)


def preview(planned: Plan, say: Say) -> Mapping[str, int]:
    """What Pulumi would change. On an account without the state's bucket it compares with an empty stack."""
    if planned.state.calls(planned.place):
        with tempfile.TemporaryDirectory() as folder, _untouched(planned.place.target.stack):
            nowhere = State(backend=f"file://{folder}", secrets_provider="passphrase")
            return PulumiStack(planned.place, nowhere, planned.tag, say).preview()
    return PulumiStack(planned.place, planned.state, planned.tag, say).preview()


def carry_out(planned: Plan, say: Say) -> Mapping[str, Any]:
    """Does what the plan says, in order, and gives the stack's outputs.

    Each step can be repeated: after a failure, mend the cause and deploy again. Raises `OutpostError`;
    `RolloutError` means that ECS did not get this version's tasks to run, `UnhealthyError` that they run and
    do not answer well.
    """
    place = planned.place
    deploy_linked_roles.make(place)
    planned.state.make(place)
    stack = PulumiStack(place, planned.state, planned.tag, say)
    if planned.repositories:
        say("making the image repositories")
        stack.up(planned.repositories)
    if planned.build:
        images_docker.sign_in(place.client("ecr"), place.registry)
        images_docker.build(planned.build, say, registry=place.registry)
    say("updating the whole stack")
    outputs = stack.up()
    verify(place, outputs, planned.tag, say)
    return outputs


def verify(place: Place, outputs: Mapping[str, Any], tag: str, say: Say) -> None:
    """Waits until the newest deployment's tasks run and the API answers as this version."""
    ecs = place.client("ecs")
    newest = deployments(ecs, place.target.names)[0]
    if tag not in _tags(ecs, newest.task_definition):
        raise RolloutError(f"ECS has rolled it back already: {newest.reason}".rstrip(": "), newest)
    say(f"waiting for {newest.revision}")
    follow(ecs, place.target.names, newest, say)
    answer = await_health(str(outputs["url"]), version=tag)
    say(f"healthy: version {answer['version']} at {outputs['url']}")


def _tags(ecs: Any, task_definition: str) -> list[str]:
    definition = ecs.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
    return [container["image"].rpartition(":")[2] for container in definition["containerDefinitions"]]


@contextlib.contextmanager
def _untouched(stack: str) -> Iterator[None]:
    """Puts the stack file back: Pulumi notes in it how a stack's secrets are encrypted."""
    path = ROOT / f"Pulumi.{stack}.yaml"
    text = path.read_text(encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def _has_repository(ecr: Any, name: str) -> bool:
    try:
        ecr.describe_repositories(repositoryNames=[name])
    except ecr.exceptions.RepositoryNotFoundException:
        return False
    return True
