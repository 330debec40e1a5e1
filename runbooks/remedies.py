"""Remedies: typed plans of exact API calls, bound to the state that they were made for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from outpost.errors import OutpostError


@dataclass(frozen=True)
class Call:
    """One API call, by service and operation, with its parameters."""

    operation: str
    parameters: Mapping[str, Any] = field(hash=False)

    def document(self) -> dict[str, Any]:
        return {"operation": self.operation, "parameters": dict(self.parameters)}

    def __str__(self) -> str:
        return f"{self.operation} {json.dumps(self.parameters, default=str)}"


@dataclass(frozen=True)
class Action:
    """A call that changes something, and the call that takes it back where there is one.

    `before` is what is there now, in the shape of the call's parameters: what differs is all that changes.
    """

    call: Call
    undo: Call | None = None
    before: Mapping[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What mends a cause.

    `state` is what the plan was made from, as far as the calls do not show it. `settle` is how long the
    change may take to show, in seconds (a deployment has to roll out).
    """

    actions: tuple[Action, ...]
    state: object = None
    settle: int = 5

    @property
    def id(self) -> str:
        """Changes when any call, or the state the plan was made for, changes."""
        document = {"calls": [action.call.document() for action in self.actions], "state": self.state}
        text = json.dumps(document, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class Caller(Protocol):
    """Makes one call that changes something."""

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]: ...


class StateChanged(OutpostError):  # noqa: N818 - says what happened
    """The state is not the one that the plan was approved for; nothing was changed."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            "state-changed",
            f"What {cause}'s plan was made for has changed; nothing was done.",
            remedy="Look again: ./inv diagnose --fix",
        )


def apply(plan: Plan, caller: Caller) -> None:
    """Make the calls in order; when one fails, take back those made, last first, and raise its error."""
    made: list[Action] = []
    for action in plan.actions:
        try:
            caller.call(action.call.operation, dict(action.call.parameters))
        except Exception:
            undo(made, caller)
            raise
        made.append(action)


def undo(actions: list[Action] | tuple[Action, ...], caller: Caller) -> bool:
    """Take back what can be taken back, last first; False if any part could not."""
    complete = True
    for action in reversed(actions):
        if action.undo is None:
            complete = False
            continue
        caller.call(action.undo.operation, dict(action.undo.parameters))
    return complete
