"""How one setting is declared: what it may be, its default, what it means."""

import json
import re
from collections.abc import Sequence
from dataclasses import field
from typing import Any, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Kind(Protocol[T_co]):
    """Reads one setting's text. `allowed` says in words what it takes."""

    @property
    def allowed(self) -> str: ...

    def parse(self, text: str) -> T_co:
        """The value; raises `ValueError` for text that is not allowed."""
        ...


def setting(kind: Kind[Any], default: Any, meaning: str) -> Any:
    """A field of the settings, with what its documentation and its parser need."""
    return field(default=default, metadata={"kind": kind, "meaning": meaning})


class Text:
    """Text that matches a pattern as a whole."""

    def __init__(self, pattern: str, allowed: str) -> None:
        self._pattern = re.compile(pattern)
        self.allowed = allowed

    def parse(self, text: str) -> str:
        if not self._pattern.fullmatch(text):
            raise ValueError(text)
        return text


class Choice:
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self._words = words
        self.allowed = " or ".join(words)

    def parse(self, text: str) -> str:
        if text not in self._words:
            raise ValueError(text)
        return text


class Flag:
    """true or false."""

    allowed = "true or false"

    def parse(self, text: str) -> bool:
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"


class Number:
    """A whole number in a range, or among a few."""

    def __init__(self, minimum: int, maximum: int, *, among: Sequence[int] = ()) -> None:
        self._minimum, self._maximum, self._among = minimum, maximum, among
        self.allowed = ", ".join(map(str, among)) if among else f"{minimum} to {maximum}"

    def parse(self, text: str) -> int:
        number = int(text)
        if not self._minimum <= number <= self._maximum or (self._among and number not in self._among):
            raise ValueError(text)
        return number


class Texts:
    """A list of distinct texts that match a pattern."""

    def __init__(self, pattern: str, what: str, *, minimum: int = 0, maximum: int = 1000) -> None:
        self._item = Text(pattern, what)
        self._minimum, self._maximum = minimum, maximum
        self.allowed = f"a list of {minimum} to {maximum} {what} ({pattern})"

    def parse(self, text: str) -> tuple[str, ...]:
        items = _json_list(text)
        if not self._minimum <= len(items) <= self._maximum:
            raise ValueError(text)
        return tuple(self._item.parse(str(item)) for item in items)


class Numbers:
    """A list of distinct whole numbers in a range."""

    def __init__(self, minimum: int, maximum: int) -> None:
        self._item = Number(minimum, maximum)
        self.allowed = f"a list of numbers, each {self._item.allowed}"

    def parse(self, text: str) -> tuple[int, ...]:
        return tuple(self._item.parse(str(item)) for item in _json_list(text))


def _json_list(text: str) -> list[Any]:
    """A list as Pulumi hands it over: JSON text. JSON's errors are ValueErrors."""
    items = json.loads(text)
    if not isinstance(items, list) or len(set(map(str, items))) != len(items):
        raise ValueError(text)
    return items
