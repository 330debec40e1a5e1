"""Filter patterns of CloudWatch Logs: which log events match.

CloudWatch Logs user guide, "Filter pattern syntax". Terms, phrases, `?` and `-`; `%regular expressions%`;
JSON selectors (`patterns_json`). Space-delimited patterns, `[a, b]`, are refused.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from local.cloudwatch.patterns_json import json_pattern

Matcher = Callable[[str], bool]

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%((?:[^%\\]|\\.)+)%|([^\s"%]+))(?=\s|$)')
_BARE = re.compile(r"\w+")


class PatternError(ValueError):
    """A pattern that CloudWatch Logs refuses, or that is not understood here."""


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Matcher:
    """What tells whether a message matches. Raises `PatternError`."""
    text = pattern.strip()
    if not text:
        return lambda message: True
    if text.startswith("["):
        raise PatternError("space-delimited patterns are not supported in the local region")
    if text.startswith("{"):
        try:
            return json_pattern(text)
        except ValueError as error:
            raise PatternError(f"Invalid filter pattern: {error}") from None
    return _terms(text)


def _terms(text: str) -> Matcher:
    """All plain terms and none with `-`; those with `?` count only where they are alone: any of them."""
    wanted: list[Matcher] = []
    refused: list[Matcher] = []
    either: list[Matcher] = []
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if not match:
            raise PatternError(f"Invalid filter pattern: {text[position:]!r}")
        position = match.end()
        {"": wanted, "-": refused, "?": either}[match[1]].append(_one(match))
    if wanted or refused:
        return lambda message: (
            all(term(message) for term in wanted) and not any(term(message) for term in refused)
        )
    return lambda message: any(term(message) for term in either)


def _one(match: re.Match[str]) -> Matcher:
    _, phrase, expression, bare = match.groups()
    if expression is not None:
        search = re.compile(expression).search
        return lambda message: search(message) is not None
    if phrase is not None:
        text = re.sub(r"\\(.)", r"\1", phrase)
    elif _BARE.fullmatch(bare):
        text = bare
    else:
        raise PatternError(f"Invalid filter pattern: {bare!r} has to be in quotes")
    return lambda message: text in message
