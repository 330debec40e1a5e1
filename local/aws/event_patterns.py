"""EventBridge's event patterns and input transformers.

User guide, "Amazon EventBridge event patterns" and "Comparison operators"; moto does not look into arrays of
objects, as the containers of a task are.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

_ANY = "$or"
_INDEX = re.compile(r"\[\d+\]")
_PLACEHOLDER = re.compile(r"<([\w.-]+)>")


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Whether the event has, for each member of the pattern, one of the values that it wants."""
    return all(
        any(matches(each, event) for each in wanted) if name == _ANY else _member(name, wanted, event)
        for name, wanted in pattern.items()
    )


def transformed(transformer: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """What a target gets of an event: the template with its placeholders filled."""
    paths = transformer.get("InputPathsMap") or {}
    # Of an array, whatever its index, the first: the paths of the stack's rules want no other.
    steps = {name: _INDEX.sub("", path.removeprefix("$.")).split(".") for name, path in paths.items()}
    values = {name: next(_at(path, event), "") for name, path in steps.items()}
    template = str(transformer["InputTemplate"])
    return _PLACEHOLDER.sub(lambda match: _quoted(values.get(match[1], match[0])), template)


def _member(name: str, wanted: Any, event: Any) -> bool:
    found = list(_at([name], event))
    if isinstance(wanted, Mapping):
        return any(matches(wanted, each) for each in found)
    if not found:
        return {"exists": False} in wanted
    return any(_one(filter_, value) for value in found for filter_ in wanted)


def _at(path: list[str], value: Any) -> Iterator[Any]:
    """The value at a path, or each one where there are arrays on the way."""
    if isinstance(value, list):
        for each in value:
            yield from _at(path, each)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _at(path[1:], value[path[0]])


def _one(wanted: Any, value: Any) -> bool:
    if not isinstance(wanted, Mapping):
        return type(wanted) is type(value) and bool(wanted == value)
    ((operation, operand),) = wanted.items()
    return _OPERATIONS[operation](operand, value)


def _anything_but(operand: Any, value: Any) -> bool:
    if isinstance(operand, Mapping):
        return not _one(operand, value)
    return value not in (operand if isinstance(operand, list) else [operand])


def _numeric(operand: list[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    bounds = zip(operand[::2], operand[1::2], strict=True)
    compare: dict[str, Callable[[float], bool]] = {
        "=": lambda limit: value == limit,
        "<": lambda limit: value < limit,
        "<=": lambda limit: value <= limit,
        ">": lambda limit: value > limit,
        ">=": lambda limit: value >= limit,
    }
    return all(compare[sign](limit) for sign, limit in bounds)


_OPERATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": lambda operand, value: isinstance(value, str) and value.startswith(operand),
    "suffix": lambda operand, value: isinstance(value, str) and value.endswith(operand),
    "wildcard": lambda operand, value: isinstance(value, str) and fnmatchcase(value, operand),
    "equals-ignore-case": lambda operand, value: isinstance(value, str) and value.lower() == operand.lower(),
    "exists": lambda operand, value: bool(operand),
    "anything-but": _anything_but,
    "numeric": _numeric,
}


def _quoted(value: Any) -> str:
    """As text within a template's quotation marks."""
    text = value if isinstance(value, str) else str(value)
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
