"""`./inv images.build` and `images.push`: this commit's images, for a stack's architectures."""

import shlex
from collections.abc import Sequence

from infra import images_docker, images_source
from infra.asking import agreed
from infra.deploy_place import Place, look, settings_of
from infra.images import TARGETS, Build
from infra.images_docker import Say
from infra.rendering import ROOT
from outpost.errors import OutpostError
from runbooks.target import Target


def wanted(stack: str, targets: Sequence[str], architectures: Sequence[str], *, dirty: bool) -> Build:
    """What is to be built; the stack's architecture, all targets, unless they are given."""
    settings = settings_of(Target.from_environment(stack=stack))
    return Build(
        tag=images_source.tag(ROOT, dirty=dirty),
        architectures=architectures or settings.image_architectures or (settings.architecture,),
        targets=targets or tuple(TARGETS),
    )


def build(what: Build, say: Say, *, dry_run: bool = False) -> None:
    """Builds into docker's own store."""
    if not dry_run:
        images_docker.require_docker()
    images_docker.build(what, say, dry_run=dry_run)


def push(what: Build, stack: str, say: Say, *, dry_run: bool = False, yes: bool = False) -> None:
    """Builds and pushes what the registry does not have, after asking."""
    place = look(Target.from_environment(stack=stack))
    say(f"images.push: {place}")
    left = images_docker.missing(place.client("ecr"), what)
    if left is None:
        say(f"the registry has all images of {what.tag}")
        return
    _print_calls(left, place, say)
    if dry_run:
        return
    images_docker.require_docker()
    if not agreed("Build and push?", yes=yes):
        raise OutpostError("declined", "Nothing was pushed.")
    images_docker.sign_in(place.client("ecr"), place.registry)
    images_docker.build(left, say, registry=place.registry)


def _print_calls(left: Build, place: Place, say: Say) -> None:
    say("would call: ecr:GetAuthorizationToken, docker login")
    for command in left.commands(place.registry):
        say(f"would run: {shlex.join(command)}")
