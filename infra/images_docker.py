"""Runs docker: checks that it is there, signs in to the registry, builds."""

import base64
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from infra.images import ROOT, TARGETS, Build
from outpost.errors import OutpostError

Say = Callable[[str], None]


def require_docker() -> None:
    """Raise `OutpostError` (`docker-missing`, `buildx-missing`, `docker-not-running`) unless it can build."""
    if not shutil.which("docker"):
        raise OutpostError(
            "docker-missing",
            "docker is not on PATH.",
            remedy="Install it (https://docs.docker.com/engine/install/), or let CI build the images.",
        )
    for code, arguments, remedy in (
        ("buildx-missing", ["buildx", "version"], "Install docker's buildx plugin."),
        ("docker-not-running", ["info", "--format", "{{.ServerVersion}}"], "Start the docker engine."),
    ):
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no answer"]
            raise OutpostError(code, f"docker {' '.join(arguments)}: {said[0]}", remedy=remedy)


def build(what: Build, say: Say, *, registry: str = "", dry_run: bool = False) -> None:
    """Builds each target, and pushes it when a registry is given. Raises `OutpostError` (`build-failed`)."""
    for command in what.commands(registry):
        say(f"{'would run' if dry_run else 'running'}: {shlex.join(command)}")
        if not dry_run and subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode:
            raise OutpostError(
                "build-failed",
                f"The image of {command[command.index('--target') + 1]} was not built.",
                remedy="See docker's output above.",
            )


def sign_in(ecr: Any, registry: str) -> None:
    """Gives docker a token for the registry (12 hours), by standard input, where no process list shows it."""
    (granted,) = ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
    command = ["docker", "login", "--username", user, "--password-stdin", registry]
    done = subprocess.run(command, input=password, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OutpostError(
            "sign-in-failed",
            f"docker login: {done.stderr.strip()}",
            remedy="Is the registry's address right?",
        )


def missing(ecr: Any, what: Build) -> Build | None:
    """What of a build the registry does not have yet; None when it has all. Tags cannot be pushed twice."""
    targets = [target for target in what.targets if not _has(ecr, TARGETS[target], what.tag)]
    if not targets:
        return None
    return Build(tag=what.tag, architectures=what.architectures, targets=targets)


def _has(ecr: Any, repository: str, tag: str) -> bool:
    try:
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except ecr.exceptions.ImageNotFoundException:
        return False
    except ecr.exceptions.RepositoryNotFoundException as error:
        raise OutpostError(
            "no-repository",
            f"There is no repository {repository}.",
            remedy="./inv deploy makes the repositories before it pushes.",
        ) from error
    return True
