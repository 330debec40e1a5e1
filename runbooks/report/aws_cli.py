"""A call of a plan as the line of the AWS CLI that makes it, for whoever mends by hand.

Region and profile are left to the reader's environment, as the CLI takes them.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from runbooks.remedies import REGISTERED, Call

# What the CLI calls by another name than the API does: its own `s3` copies files.
_COMMANDS = {"s3": "s3api"}
_VARIABLE = "REGISTERED"  # of the reader's shell: what the plan registers, for the calls after it


def parts(call: Call, *, keep: bool = False) -> list[str]:
    """The line in its parts, each quoted for a shell: the command, then every option with its value.

    `keep` remembers the ARN of the task definition that the line registers, for the calls that name it.
    Lists and structures are JSON; nothing is in the CLI's shorthand.
    """
    from botocore import xform_name  # as the CLI itself names operations and options

    service, _, operation = call.operation.partition(":")
    made = [f"aws {_COMMANDS.get(service, service)} {xform_name(operation, '-')}"]
    made += [_option(xform_name(name, "-"), value) for name, value in call.parameters.items()]
    if keep:
        made = [f"{_VARIABLE}=$({made[0]}", *made[1:]]
        made += ["--query taskDefinition.taskDefinitionArn", "--output text)"]
    return made


def names_registered(call: Call) -> bool:
    """Whether a call names what its plan registers before it."""
    return REGISTERED in call.parameters.values()


def _option(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    if value == REGISTERED:
        return f'--{name} "${_VARIABLE}"'
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)
    return f"--{name} {shlex.quote(text)}"
