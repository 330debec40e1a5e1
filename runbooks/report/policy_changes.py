"""What a call changes of a policy: the statements that go, that come, and what differs in one that stays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Parameters that hold a whole policy as text: of a bucket or a key, of a role.
POLICIES = ("Policy", "PolicyDocument")


def holds_policy(parameters: Mapping[str, Any]) -> bool:
    return any(name in parameters for name in POLICIES)


def policy_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """One line for each statement that a call takes away (-), adds (+), or changes (both, by what differs).

    `before` and `after` are parameters of the call; a policy that is missing has no statements.
    """
    old, new = _statements(before), _statements(after)
    lines = []
    for key in dict.fromkeys([*old, *new]):
        was, becomes = old.get(key, []), new.get(key, [])
        gone = [part for part in was if part not in becomes]
        come = [part for part in becomes if part not in was]
        name = key[0] or "(no Sid)"
        lines += [f"{sign} {name}: {', '.join(parts)}" for sign, parts in (("-", gone), ("+", come)) if parts]
    return lines


def _statements(parameters: Mapping[str, Any]) -> dict[tuple[str, ...], list[str]]:
    """The parts of each statement by its Sid; without one, by all that it says."""
    text = next((parameters[name] for name in POLICIES if parameters.get(name)), '{"Statement": []}')
    given = json.loads(text)["Statement"]
    found: dict[tuple[str, ...], list[str]] = {}
    for statement in given if isinstance(given, list) else [given]:
        fields = [(name, value) for name, value in statement.items() if name != "Sid"]
        parts = [part for name, value in fields for part in _parts(name, value)]
        sid = str(statement.get("Sid") or "")
        found[(sid,) if sid else ("", *parts)] = parts
    return found


def _parts(field: str, value: Any) -> list[str]:
    """A field of a statement, one part for each of its values."""
    if isinstance(value, Mapping):
        return [part for name, item in value.items() for part in _parts(f"{field} {name}", item)]
    return [f"{field} {item}" for item in (value if isinstance(value, list) else [value])]
