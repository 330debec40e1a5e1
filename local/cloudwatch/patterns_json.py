"""JSON filter patterns: `{ $.status = "FAILED" && ($.code > 3 || $.reason NOT EXISTS) }`."""

import json
import re
from collections.abc import Callable
from fnmatch import translate
from typing import Any

Test = Callable[[Any], bool]  # on a whole log event, parsed

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<selector>\$(?:\.[\w\-]+|\["[^"]+"\]|\[\d+\]|\[\*\])*)
    | (?P<logic>&&|\|\||[()])
    | (?P<compare>!=|<=|>=|=|<|>)
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<expression>%(?:[^%\\]|\\.)+%)
    | (?P<word>[^\s()&|<>=!"%]+)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r'\.([\w\-]+)|\["([^"]+)"\]|\[(\d+)\]|\[(\*)\]')
_MISSING: Any = object()
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


def json_pattern(text: str) -> Callable[[str], bool]:
    """What tells whether a message is a JSON object that matches. Raises `ValueError`."""
    if not text.endswith("}"):
        raise ValueError("a JSON pattern ends with }")
    test = _Parser(text[1:-1]).parse()

    def matches(message: str) -> bool:
        document = parsed(message)
        return document is not None and test(document)

    return matches


def parsed(message: str) -> dict[str, Any] | None:
    """The message's JSON object; None when it is anything else."""
    if not message.lstrip().startswith("{"):
        return None
    try:
        document = json.loads(message)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


class _Parser:
    """`||` binds least, then `&&`; brackets bind most."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if not match or match.lastgroup is None:
                raise ValueError(f"cannot read {text[position:]!r}")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def parse(self) -> Test:
        test = self._either()
        if self._tokens:
            raise ValueError(f"unexpected {self._tokens[0][1]!r}")
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._takes("||"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda document: any(test(document) for test in tests)

    def _both(self) -> Test:
        tests = [self._single()]
        while self._takes("&&"):
            tests.append(self._single())
        return tests[0] if len(tests) == 1 else lambda document: all(test(document) for test in tests)

    def _single(self) -> Test:
        if self._takes("("):
            test = self._either()
            if not self._takes(")"):
                raise ValueError("a bracket is not closed")
            return test
        steps = _steps(self._next("selector"))
        kind, token = self._next_of("compare", "word")
        if kind == "compare":
            return _comparison(steps, token, *self._next_of("string", "expression", "word"))
        words = f"{token} {self._next('word')}".upper()
        if words not in _STATES:
            raise ValueError(f"cannot read {words!r}")
        state = _STATES[words]
        return lambda document: any(state(value) for value in _values(document, steps))

    def _takes(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == ("logic", token):
            self._tokens.pop(0)
            return True
        return False

    def _next(self, kind: str) -> str:
        return self._next_of(kind)[1]

    def _next_of(self, *kinds: str) -> tuple[str, str]:
        if not self._tokens or self._tokens[0][0] not in kinds:
            found = self._tokens[0][1] if self._tokens else "the end"
            raise ValueError(f"{' or '.join(kinds)} is wanted, not {found!r}")
        return self._tokens.pop(0)


_STATES: dict[str, Test] = {
    "IS NULL": lambda value: value is None,
    "IS TRUE": lambda value: value is True,
    "IS FALSE": lambda value: value is False,
    "NOT EXISTS": lambda value: value is _MISSING,
}


def _steps(selector: str) -> list[str | int]:
    """Names and places; `-1` stands for every place of an array."""
    found: list[str | int] = []
    for name, quoted, place, every in _STEP.findall(selector):
        found.append(-1 if every else int(place) if place else name or quoted)
    return found


def _values(document: Any, steps: list[str | int]) -> list[Any]:
    """What the selector selects: one value, `_MISSING`, or each element of an array."""
    values = [document]
    for step in steps:
        if step == -1:
            values = [each for value in values if isinstance(value, list) for each in value]
        else:
            values = [_step(value, step) for value in values]
    return values or [_MISSING]


def _step(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return value.get(step, _MISSING) if isinstance(value, dict) else _MISSING
    return value[step] if isinstance(value, list) and step < len(value) else _MISSING


def _comparison(steps: list[str | int], sign: str, kind: str, literal: str) -> Test:
    test = _ordered(sign, literal) if sign in "<=>=" and sign != "=" else _equal(kind, literal)
    if sign == "!=":
        equal = _equal(kind, literal)
        # What is not there, or null, is not unequal either.
        return lambda document: any(
            value is not _MISSING and value is not None and not equal(value)
            for value in _values(document, steps)
        )
    return lambda document: any(test(value) for value in _values(document, steps))


def _ordered(sign: str, literal: str) -> Test:
    if not _NUMBER.fullmatch(literal):
        raise ValueError(f"{sign} compares numbers, not {literal!r}")
    limit = float(literal)

    def test(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return {"<": value < limit, ">": value > limit, "<=": value <= limit, ">=": value >= limit}[sign]

    return test


def _equal(kind: str, literal: str) -> Test:
    """Equal to a number, a string with `*` for anything, or a regular expression; null equals none."""
    if kind == "expression":
        search = re.compile(literal[1:-1]).search
        return lambda value: isinstance(value, str) and search(value) is not None
    if kind == "word" and _NUMBER.fullmatch(literal):
        number = float(literal)
        return lambda value: (
            not isinstance(value, bool) and isinstance(value, int | float) and value == number
        )
    text = json.loads(literal) if kind == "string" else literal
    # fnmatch's other wildcards mean nothing to CloudWatch Logs.
    wildcard = re.compile(translate(re.sub(r"([\[?])", r"[\1]", text))).match

    def test(value: Any) -> bool:
        if value is _MISSING or value is None or isinstance(value, dict | list):
            return False
        shown = value if isinstance(value, str) else json.dumps(value)
        return wildcard(shown) is not None

    return test
