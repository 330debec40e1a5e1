"""Two faults in one task definition: mended in either order, and neither undoes the other's mending."""

from __future__ import annotations

from typing import Any

import pytest

from runbooks.looking import Answer, CouldNotLook
from runbooks.mending import mend
from runbooks.report import document, terminal
from runbooks.run import Report, diagnose
from runbooks.target import Target
from tests.runbooks.world import World, arn, target

KEEP_ALIVE, RETRIES = "slow-responses/cold-connections", "dynamodb-throttling/retries-without-backoff"
WIRING, MEMORY = "agent-fails-immediately/api-key-missing", "memory-pressure/fast-undersized"


class Deployable:
    """A world in which task definitions can be registered, and the service moved to them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.said: list[str] = []
        self.refused: set[str] = set()
        self.moved: list[str] = []  # to which revisions
        self.before_registering: Any = None

    @property
    def target(self) -> Target:
        return target()

    def reader(self) -> World:
        return self.world

    def call(self, operation: str, parameters: Answer) -> Answer:
        if operation in self.refused:
            raise CouldNotLook(operation, "denied", permission=operation)
        if operation == "ecs:RegisterTaskDefinition":
            return {"taskDefinition": self.register(dict(parameters))}
        if operation == "ecs:UpdateService":
            self.world.service["taskDefinition"] = parameters["taskDefinition"]
            self.moved.append(parameters["taskDefinition"].rpartition(":")[2])
        if operation == "ecs:DeregisterTaskDefinition":
            gone = self.world.definitions.pop(parameters["taskDefinition"])
            older = arn("ecs", f"task-definition/{gone['family']}:{gone['revision'] - 1}")
            self.world.definitions[gone["family"]] = self.world.definitions[older]
        return {}

    def register(self, parameters: Answer) -> Answer:
        family = parameters["family"]
        revisions = [d["revision"] for d in self.world.definitions.values() if d["family"] == family]
        number = max(revisions) + 1
        name = arn("ecs", f"task-definition/{family}:{number}")
        made = parameters | {"taskDefinitionArn": name, "revision": number, "status": "ACTIVE"}
        self.world.definitions |= {name: made, f"{family}:{number}": made, family: made}
        return made

    def look(self) -> Report:
        return diagnose(target(), self.world)

    def plan_of(self, key: str) -> str:
        plan = next(f.plan for f in self.look().findings if f.cause.key == key)
        assert plan is not None
        return plan.id

    def mend(self, approved: str = "", report: Report | None = None) -> list[tuple[str, str]]:
        done, _ = mend(
            self, report or self.look(), approved=approved, progress=self.said.append, again=self.look
        )
        return [(item.cause.key, item.outcome) for item in done]

    def environment(self) -> dict[str, str]:
        container = self.world.definitions[self.world.service["taskDefinition"]]["containerDefinitions"][0]
        return {item["name"]: item["value"] for item in container["environment"]}


@pytest.fixture
def stack(world: World) -> Deployable:
    """The control plane's definition has two wrong settings."""
    world.environment |= {"KEEP_ALIVE_SECONDS": "30", "AWS_MAX_ATTEMPTS": "1"}
    world.put_control_plane(7)
    return Deployable(world)


def test_both_are_mended_in_one_run(stack: Deployable) -> None:
    assert sorted(stack.mend()) == [(RETRIES, "mended"), (KEEP_ALIVE, "mended")]
    assert stack.environment()["KEEP_ALIVE_SECONDS"] == "65"
    assert stack.environment()["AWS_MAX_ATTEMPTS"] == "5"
    assert stack.look().verdict == "healthy"


@pytest.mark.parametrize("order", [(KEEP_ALIVE, RETRIES), (RETRIES, KEEP_ALIVE)])
def test_one_after_the_other_in_either_order(stack: Deployable, order: tuple[str, str]) -> None:
    for key in order:
        assert stack.mend(stack.plan_of(key)) == [(key, "mended")]
    assert stack.look().verdict == "healthy"
    assert stack.environment()["KEEP_ALIVE_SECONDS"] == "65"
    assert stack.environment()["AWS_MAX_ATTEMPTS"] == "5"


@pytest.mark.parametrize("order", [(KEEP_ALIVE, RETRIES), (RETRIES, KEEP_ALIVE)])
def test_a_plan_of_before_the_other_was_mended_is_refused_and_the_new_one_is_named(
    stack: Deployable, order: tuple[str, str]
) -> None:
    """Applied, it would deploy a copy of the revision in which the other is still wrong."""
    first, second = order
    before = stack.look()
    stale = stack.plan_of(second)
    stack.mend(stack.plan_of(first))
    moved = list(stack.moved)
    assert stack.mend(stale) == []
    assert stack.said[-1].startswith(f"refused: there is no plan {stale}; what it was made for has changed")
    assert f"{stack.plan_of(second)} {second}" in stack.said[-1]
    assert stack.mend(stale, before) == [(second, "refused")]  # also where it was reported in time
    assert stack.moved == moved


def test_applying_one_says_that_the_other_is_in_the_revision_too(stack: Deployable) -> None:
    other = stack.plan_of(RETRIES)
    stack.mend(stack.plan_of(KEEP_ALIVE))
    told = f"outpost-control-plane:7 also has {RETRIES} (kept: plan {other} mends it)"
    assert told in stack.said


def test_the_plan_shows_what_it_leaves_broken(stack: Deployable) -> None:
    report = stack.look()
    text = " ".join(terminal.render(report, terminal.Style(), plans=True).split())
    told = f"outpost-control-plane:7 also has, and keeps: {RETRIES} (plan {stack.plan_of(RETRIES)})"
    assert told in text
    remedies = {f["cause"]: f["remedy"] for f in document.document(report)["findings"]}
    assert remedies["cold-connections"]["alsoBroken"] == [RETRIES]
    assert remedies["cold-connections"]["plan"] == stack.plan_of(KEEP_ALIVE)


def test_what_no_plan_mends_is_told_as_well(stack: Deployable) -> None:
    stack.world.environment["JOBS_TABLE"] = ""  # and no earlier revision has it
    stack.world.put_control_plane(7)
    stack.mend(stack.plan_of(KEEP_ALIVE))
    key = "health-check-failing/missing-environment"
    assert f"outpost-control-plane:7 also has {key} (kept: a person has to mend it)" in stack.said


def test_somebody_elses_deployment_in_between_is_not_built_upon(stack: Deployable) -> None:
    report = stack.look()
    theirs = stack.register(stack.world.definitions[stack.world.service["taskDefinition"]])
    stack.world.service["taskDefinition"] = theirs["taskDefinitionArn"]
    assert sorted(stack.mend(report=report)) == [(RETRIES, "refused"), (KEEP_ALIVE, "refused")]
    assert stack.moved == []


def test_what_is_deployed_is_what_the_plan_registered(stack: Deployable) -> None:
    """Not the newest of the family: somebody may have registered another in between."""
    registered = stack.register

    def and_theirs(parameters: Answer) -> Answer:
        made = registered(dict(parameters))
        registered(dict(parameters) | {"memory": "512"})
        return made

    stack.register = and_theirs  # type: ignore[method-assign]
    stack.mend(stack.plan_of(KEEP_ALIVE))
    assert stack.moved == ["8"]


def test_what_made_it_worse_is_taken_back_to_the_revision_of_before(stack: Deployable) -> None:
    registered = stack.register

    def breaking(parameters: Answer) -> Answer:
        stack.world.groups.pop("sg-worker")
        return registered(parameters)

    stack.register = breaking  # type: ignore[method-assign]
    report = stack.look()
    stack.mend(stack.plan_of(RETRIES), report)
    assert stack.moved == ["8", "7"]
    assert arn("ecs", "task-definition/outpost-control-plane:8") not in stack.world.definitions


def test_two_faults_of_an_agents_definition(world: World) -> None:
    grok = world.definitions["outpost-grok"]
    grok["containerDefinitions"][0]["secrets"] = []
    grok["memory"] = "1024"
    world.definitions |= {grok["taskDefinitionArn"]: grok}
    stack = Deployable(world)
    assert sorted(stack.mend()) == [(WIRING, "mended"), (MEMORY, "mended")]
    made = world.definitions["outpost-grok"]
    assert (made["revision"], made["memory"]) == (5, "2048")
    assert made["containerDefinitions"][0]["secrets"][0]["name"] == "XAI_API_KEY"


def test_a_plan_for_an_agents_revision_is_another_for_the_next_one_like_it(world: World) -> None:
    """Somebody has registered it anew since: what they did is theirs, and is to be looked at again."""
    world.definitions["outpost-grok"]["memory"] = "1024"
    world.definitions |= {
        world.definitions["outpost-grok"]["taskDefinitionArn"]: world.definitions["outpost-grok"]
    }
    stack = Deployable(world)
    before = stack.plan_of(MEMORY)
    stack.register(dict(world.definitions["outpost-grok"]))
    assert stack.plan_of(MEMORY) != before
