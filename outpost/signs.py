"""Signs: the words by which a failure is known, and how they are looked for.

Agents print whatever the repository and the task hold, so a word alone proves little. Each sign says whose
lines it may stand in, and is written for the whole shape of the real message, not for a word of it.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# `cli`: what an agent's command line says itself, without its tools' output, which is the repository's.
Source = Literal["worker", "cli", "agent", "any"]

RECENT = 20  # lines at the end of a log that tell what an agent was doing when its time was over
FREQUENT = 2  # of those lines, for a sign to explain a time-out
REPEATS = 5  # the same step as often as this, and most of all recent steps, is a loop

_TOOL = re.compile(r"\Atool\b")  # how the worker's adapters log tool calls and their results
_STEP = re.compile(r"\Atool (?!result|error)")
_STACK_FRAME = re.compile(r"\A\s+at \S|\A\s*(?:status|code): \d+\Z|\A[{}\s]*\Z")


@dataclass(frozen=True, kw_only=True)
class Sign:
    """A pattern and what it means; `issue` and `cause` are the runbooks' codes."""

    code: str
    pattern: re.Pattern[str]
    summary: str
    remedy: str
    issue: str = ""
    cause: str = ""
    source: Source = "any"
    may_relaunch: bool = False


@dataclass(frozen=True)
class Line:
    """One line of a log. `stream` is "" for a line that is not the worker's JSON."""

    text: str
    stream: str = ""


def sign(
    issue: str,
    cause: str,
    *patterns: str,
    summary: str,
    remedy: str,
    source: Source = "any",
    may_relaunch: bool = False,
    code: str = "",
) -> Sign:
    """A sign that any of the patterns gives; its code is the cause's where it has no other."""
    return Sign(
        code=code or cause,
        issue=issue,
        cause=cause,
        pattern=re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL),
        summary=summary,
        remedy=remedy,
        source=source,
        may_relaunch=may_relaunch,
    )


def parse(log_tail: Sequence[str]) -> list[Line]:
    """The lines of a log, the worker's JSON taken apart."""
    lines = []
    for raw in log_tail:
        record = None
        if raw.startswith("{"):
            try:
                record = json.loads(raw)
            except ValueError:
                record = None
        if isinstance(record, dict) and isinstance(record.get("message"), str):
            lines.append(Line(record["message"], str(record.get("stream", ""))))
        else:
            lines.append(Line(raw.rstrip("\n")))
    return lines


def match(signs: Sequence[Sign], text: str) -> Sign | None:
    """The first sign that a reason shows."""
    return next((sign for sign in signs if sign.pattern.search(text)), None)


def recent(lines: Sequence[Line]) -> list[Line]:
    """The worker's lines, and of the agent's those at its end: what it recovered from is not its end."""
    said = [line for line in lines if line.stream != "worker" and not _STACK_FRAME.search(line.text)]
    last = {id(line) for line in said[-RECENT:]}
    return [line for line in lines if line.stream == "worker" or id(line) in last]


def first(signs: Sequence[Sign], lines: Sequence[Line]) -> tuple[Sign | None, str]:
    """The first sign, in the order of the signs, that a line shows, and the last such line."""
    for sign in signs:
        for line in reversed(lines):
            if _shows(sign, line):
                return sign, line.text
    return None, ""


def most_frequent(signs: Sequence[Sign], lines: Sequence[Line]) -> tuple[Sign | None, str]:
    """The sign that the end of the log is full of, and its last line. Stack frames do not count as lines."""
    recent = [line for line in lines if line.stream != "worker" and not _STACK_FRAME.search(line.text)]
    recent = recent[-RECENT:]
    found = []
    for sign in signs:
        hits = [line.text for line in recent if _shows(sign, line)]
        if len(hits) >= FREQUENT:
            found.append((len(hits), sign, hits[-1]))
    if not found:
        return None, ""
    _, sign, evidence = max(found, key=lambda item: item[0])
    return sign, evidence


def repeated_step(lines: Sequence[Line]) -> str:
    """The tool call that makes up most of the last calls, or ""."""
    steps = [line.text for line in lines if line.stream != "worker" and _STEP.match(line.text)][-RECENT:]
    if not steps:
        return ""
    step, times = Counter(steps).most_common(1)[0]
    return step if times >= REPEATS and times * 2 > len(steps) else ""


def _shows(sign: Sign, line: Line) -> bool:
    if sign.source == "cli" and _TOOL.match(line.text):
        return False
    stream = "agent" if sign.source == "cli" else sign.source
    return (stream == "any" or line.stream in ("", stream)) and bool(sign.pattern.search(line.text))
