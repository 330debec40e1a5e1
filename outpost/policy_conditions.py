"""The condition operators of IAM policies ("IAM JSON policy elements: Condition operators").

Part of `outpost.policy`; pure functions over strings.
"""

import functools
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from outpost.errors import OutpostError

# Keys in lower case (IAM compares them so); one string, or several for multivalued keys.
Context = Mapping[str, str | Sequence[str]]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}  # ${*} and its like stand for the character itself
_ARN_FIELDS = 6  # arn:partition:service:region:account:resource


@functools.lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _substitute(pattern: str, context: Context) -> tuple[str, ...] | None:
    """The pattern cut at its policy variables, whose values are literal text (at odd places)."""
    pieces = _VARIABLE.split(pattern)
    for index in range(1, len(pieces), 2):
        key, _, default = (part.strip() for part in pieces[index].partition(","))
        value = _LITERALS.get(key) or context.get(key.lower()) or default.strip("'") or None
        if not isinstance(value, str):
            return None  # unset or multivalued: the whole element matches nothing
        pieces[index] = value
    return tuple(pieces)


def like(pattern: str, value: str, context: Context) -> bool:
    """Whether `value` matches a pattern with `*`, `?` and policy variables."""
    if "${" not in pattern:
        return _glob(pattern).fullmatch(value) is not None
    pieces = _substitute(pattern, context)
    if pieces is None:
        return False
    expression = "".join(
        re.escape(piece) if index % 2 else _glob(piece).pattern for index, piece in enumerate(pieces)
    )
    return re.fullmatch(expression, value, re.DOTALL) is not None


def arn_like(pattern: str, value: str, context: Context) -> bool:
    """As `like`, but for each of the six fields of an ARN by itself, so that `*` ends with its field."""
    if pattern == "*":
        return True
    # A variable's own colon (`${aws:username}`) is no separator of fields.
    masked = _VARIABLE.sub(lambda match: match[0].replace(":", "\0"), pattern)
    wanted = [field.replace("\0", ":") for field in masked.split(":", _ARN_FIELDS - 1)]
    given = value.split(":", _ARN_FIELDS - 1)
    return len(wanted) == len(given) and all(
        one == other or like(one, other, context) for one, other in zip(wanted, given, strict=True)
    )


def _equals(pattern: str, value: str, context: Context) -> bool:
    if "${" not in pattern:
        return pattern == value
    pieces = _substitute(pattern, context)
    return pieces is not None and "".join(pieces) == value


def _equals_ignoring_case(pattern: str, value: str, context: Context) -> bool:
    return _equals(pattern.lower(), value.lower(), context)


def _bool(pattern: str, value: str, _: Context) -> bool:
    return pattern.lower() == value.lower()


def _in_network(pattern: str, value: str, _: Context) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return False


def _date(text: str) -> float:
    """Epoch seconds of an ISO 8601 date or of a number."""
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _compare(
    read: Callable[[str], float], holds: Callable[[float, float], bool]
) -> Callable[[str, str, Context], bool]:
    def test(pattern: str, value: str, _: Context) -> bool:
        try:
            return holds(read(value), read(pattern))
        except ValueError:
            return False

    return test


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "Equals": lambda value, bound: value == bound,
    "LessThan": lambda value, bound: value < bound,
    "LessThanEquals": lambda value, bound: value <= bound,
    "GreaterThan": lambda value, bound: value > bound,
    "GreaterThanEquals": lambda value, bound: value >= bound,
}
_TESTS: dict[str, Callable[[str, str, Context], bool]] = {
    "StringEquals": _equals,
    "StringEqualsIgnoreCase": _equals_ignoring_case,
    "StringLike": like,
    "ArnEquals": arn_like,  # AWS: ArnEquals and ArnLike behave identically
    "ArnLike": arn_like,
    "Bool": _bool,
    "BinaryEquals": _equals,
    "IpAddress": _in_network,
    **{f"Numeric{name}": _compare(float, holds) for name, holds in _COMPARISONS.items()},
    **{f"Date{name}": _compare(_date, holds) for name, holds in _COMPARISONS.items()},
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}
_OPERATOR = re.compile(r"(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One operator on one key. Negated operators hold when the key is missing, as IAM has it."""

    operator: str
    key: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raise `OutpostError` (`malformed-policy`) for an operator that IAM does not have."""
        match = _OPERATOR.fullmatch(self.operator)
        name = match[2] if match else ""
        if name != "Null" and name not in _TESTS and name not in _NEGATED:
            raise OutpostError("malformed-policy", f"{self.operator!r} is not a condition operator.")

    def holds(self, context: Context) -> bool:
        """Whether the condition is met by a request with these condition keys."""
        match = _OPERATOR.fullmatch(self.operator)
        assert match  # checked when made
        quantifier, name, if_exists = match.groups()
        found = context.get(self.key.lower())
        given = [found] if isinstance(found, str) else list(found or ())
        if name == "Null":
            return (not given) == (self.values[0].lower() == "true")
        negated = name in _NEGATED
        if not given:
            return bool(if_exists) or quantifier == "ForAllValues" or (negated and quantifier is None)
        test = _TESTS[_NEGATED.get(name, name)]
        matches = [any(test(wanted, value, context) for wanted in self.values) != negated for value in given]
        if quantifier == "ForAllValues" or (negated and quantifier is None):
            return all(matches)
        return any(matches)
