"""Images: one for the control plane, one for each agent, built from one Dockerfile by docker buildx."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from outpost.agents import Agent
from outpost.errors import OutpostError
from outpost.names import CONTROL_PLANE_CONTAINER, CONTROL_PLANE_FAMILY, family

ROOT = Path(__file__).parent.parent
PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}  # by ECS's name of the architecture
VERSION_ARGUMENT = "OUTPOST_VERSION"  # what GET /health answers as its version

# The Dockerfile's target -> the repository, which is named after the task definition family.
TARGETS = {CONTROL_PLANE_CONTAINER: CONTROL_PLANE_FAMILY, **{str(agent): family(agent) for agent in Agent}}


@dataclass(frozen=True, kw_only=True)
class Build:
    """What is built: which targets, for which architectures, under which tag and version."""

    tag: str
    architectures: Sequence[str]
    targets: Sequence[str] = tuple(TARGETS)

    def __post_init__(self) -> None:
        """Raise `OutpostError` (`unknown-target`, `unknown-architecture`) for what there is none of."""
        _known("target", self.targets, TARGETS)
        _known("architecture", self.architectures, PLATFORMS)

    def commands(self, registry: str = "") -> list[list[str]]:
        """The docker commands, one for each target. With a registry they push, without one they build.

        Images for several architectures cannot be loaded into docker's own store, so a build of them stays
        in the builder's cache.
        """
        return [self._command(target, registry) for target in self.targets]

    def _command(self, target: str, registry: str) -> list[str]:
        platforms = ",".join(PLATFORMS[architecture] for architecture in self.architectures)
        output = ["--push"] if registry else ["--load"] if len(self.architectures) == 1 else []
        name = f"{registry}/{TARGETS[target]}" if registry else TARGETS[target]
        return [
            *("docker", "buildx", "build"),
            *("--platform", platforms),
            *("--target", target),
            *("--build-arg", f"{VERSION_ARGUMENT}={self.tag}"),
            *("--tag", f"{name}:{self.tag}"),
            *output,
            ".",
        ]


def _known(what: str, given: Sequence[str], among: dict[str, str]) -> None:
    for name in given:
        if name not in among:
            raise OutpostError(
                f"unknown-{what}", f"{name!r} is not a {what}.", remedy=f"Use one of {', '.join(among)}."
            )
    if not given:
        raise OutpostError(f"unknown-{what}", f"No {what} is given.", remedy=f"Use {', '.join(among)}.")
