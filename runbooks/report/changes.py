"""What a call changes of what is there: the few lines of a whole document that differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_NONE = "(none)"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """One line for each value that differs: where it is, what it was, what it becomes."""
    old, new = dict(_values(before)), dict(_values(after))
    return [
        f"{path}: {old.get(path, _NONE)} -> {new.get(path, _NONE)}"
        for path in dict.fromkeys([*old, *new])
        if old.get(path, _NONE) != new.get(path, _NONE)
    ]


def _values(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value with its path; items of a list go by their name where they have one."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name == "name":
                continue  # it is in the path already
            own = "" if name in ("value", "valueFrom") and "name" in value else f" {name}"
            yield from _values(item, f"{path}{own}".strip())
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            name = item.get("name", number) if isinstance(item, Mapping) else number
            yield from _values(item, f"{path} {name}")
    else:
        yield path, value if isinstance(value, str) else json.dumps(value, default=str)
