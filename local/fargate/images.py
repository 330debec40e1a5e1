"""Which program an image is: the repository's name decides, since nothing is pulled here."""

import sys
from dataclasses import dataclass, field

from local.fargate.failures import image_not_found
from outpost.agents import AGENTS
from outpost.names import CONTROL_PLANE_FAMILY, family


@dataclass(frozen=True)
class Image:
    """What a container of an image runs. `forked`: run `module` in an interpreter with its imports done."""

    argv: tuple[str, ...] = ()
    module: str = ""
    forked: bool = False


def _repository(image: str) -> str:
    """The last part of the repository's name, without registry, tag and digest."""
    return image.split("@", 1)[0].rsplit("/", 1)[-1].split(":", 1)[0]


def _built_in() -> dict[str, Image]:
    images = {CONTROL_PLANE_FAMILY: Image(module="service")}
    images.update({family(agent): Image(module="worker", forked=True) for agent in AGENTS})
    return images


@dataclass
class Images:
    """The images that can be pulled. Tests add stand-ins of their own by repository name."""

    known: dict[str, Image] = field(default_factory=_built_in)
    missing: set[str] = field(default_factory=set)  # whole references that a fault control withholds

    def resolve(self, reference: str) -> Image:
        """The image of a reference. Raises `StartError` (CannotPullContainerError) for an unknown one."""
        image = self.known.get(_repository(reference))
        if image is None or reference in self.missing or _repository(reference) in self.missing:
            raise image_not_found(reference)
        return image

    def command(self, reference: str, override: list[str]) -> tuple[list[str], str]:
        """The argument list of a container, and the module to run in the forked interpreter, if any.

        A command override of `python ...` runs in this interpreter; any other is executed as it stands.
        """
        image = self.resolve(reference)
        if override:
            argv = list(override)
            if argv[0] in {"python", "python3"}:
                argv[0] = sys.executable
            return argv, ""
        if image.forked:
            return [], image.module
        if image.module:
            return [sys.executable, "-m", image.module], ""
        return list(image.argv), ""
