"""Whether the `./inv` commands that a text names exist, with the options that they are given."""

import re
import shlex
from collections.abc import Iterator

import tasks

# Up to what ends a command in a shell, in Markdown or in YAML.
_COMMAND = re.compile(r"\./inv ([^`|<>&;#)\n]+)")


def unknown(text: str) -> list[str]:
    """Commands that would be refused, each with what is wrong with it."""
    return [problem for match in _COMMAND.finditer(text) for problem in _problems(match[1].strip())]


def _problems(command: str) -> Iterator[str]:
    name, *given = shlex.split(command, posix=False)
    if name in ("--list", "--help") or name.endswith("*"):
        return
    try:
        task = tasks.namespace.task_with_config(name)[0]
    except (KeyError, ValueError):
        yield f"{command}: there is no task {name}"
        return
    options = {name for argument in task.get_arguments() for name in argument.names}
    for flag in given:
        if flag.startswith("--") and flag.removeprefix("--").partition("=")[0] not in _spellings(options):
            yield f"{command}: {name} has no {flag}"


def _spellings(options: set[str]) -> set[str]:
    return {"help"} | options | {option.replace("_", "-") for option in options}
