"""Remedies: typed plans of exact API calls, bound to the state that they were made for."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from outpost.errors import OutpostError
from runbooks.looking import BUSY, Absent, CouldNotLook

# Stands in a call's parameters for what the plan registers before it: not for whatever is the newest by then.
REGISTERED = "(the revision that this plan registers)"
BUSY_FOR = 60.0  # seconds that a call is tried again while what it changes is being changed
AGAIN = 1.0  # seconds


@dataclass(frozen=True)
class Call:
    """One API call, by service and operation, with its parameters."""

    operation: str
    parameters: Mapping[str, Any] = field(hash=False)

    def document(self) -> dict[str, Any]:
        return {"operation": self.operation, "parameters": dict(self.parameters)}

    def with_registered(self, arn: str) -> Call:
        """The call with the task definition that was registered, where it names it."""
        filled = {name: arn if value == REGISTERED else value for name, value in self.parameters.items()}
        return Call(self.operation, filled)

    def __str__(self) -> str:
        return f"{self.operation} {json.dumps(self.parameters, default=str)}"


@dataclass(frozen=True)
class Action:
    """A call that changes something, and the call that takes it back where there is one.

    `before` is what is there now, in the shape of the call's parameters: what differs is all that changes.
    `base` is the ARN of the task definition that the call registers a corrected copy of.
    """

    call: Call
    undo: Call | None = None
    before: Mapping[str, Any] | None = field(default=None, hash=False)
    base: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What mends a cause.

    `state` is what the plan was made from, as far as the calls do not show it. `settle` is how long the
    change may take to show, in seconds (a deployment has to roll out). `bill` says what it does to the bill,
    where it raises it.
    """

    actions: tuple[Action, ...]
    state: object = None
    settle: int = 5
    bill: str = ""

    @property
    def bases(self) -> frozenset[str]:
        """The task definitions that it registers corrected copies of."""
        return frozenset(action.base for action in self.actions if action.base)

    @property
    def id(self) -> str:
        """Changes when any call, or the state the plan was made for, changes."""
        document = {
            "calls": [action.call.document() for action in self.actions],
            "state": self.state,
            "bases": sorted(self.bases),
        }
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


def apply(plan: Plan, caller: Caller) -> tuple[Action, ...]:
    """Make the calls in order. Returns the actions as they were made, for `undo`.

    When one fails, those made are taken back, last first, and its error is raised: as it is, or as
    `OutpostError` (`half-done`) that also says what could not be taken back.
    """
    made: list[Action] = []
    registered = ""
    for planned in plan.actions:
        action = replace(planned, call=planned.call.with_registered(registered))
        try:
            answer = _insist(caller, action.call)
        except (Absent, CouldNotLook, OutpostError) as error:
            left = undo(made, caller)
            if left:
                message = f"{error}; and could not be taken back: {'; '.join(left)}."
                raise OutpostError("half-done", message, remedy="Look again: ./inv diagnose") from error
            raise
        if action.base:
            registered = str(answer["taskDefinition"]["taskDefinitionArn"])
        undone_by = action.undo.with_registered(registered) if action.undo else None
        made.append(replace(action, undo=undone_by))
    return tuple(made)


def undo(actions: Sequence[Action], caller: Caller) -> list[str]:
    """Take back what can be taken back, last first. Returns what could not be, and why."""
    left = []
    for action in reversed(actions):
        if action.undo is None:
            left.append(f"{action.call.operation} has no opposite")
            continue
        try:
            _insist(caller, action.undo)
        except (Absent, CouldNotLook, OutpostError) as error:
            left.append(str(error))
    return left


def _insist(caller: Caller, call: Call) -> dict[str, Any]:
    """Make a call, again and again while its resource is being changed. Raises what the caller raises."""
    until = time.monotonic() + BUSY_FOR
    while True:
        try:
            return caller.call(call.operation, dict(call.parameters))
        except CouldNotLook as error:
            if error.reason != BUSY or time.monotonic() >= until:
                raise
        time.sleep(AGAIN)
