"""What an adapter is: data and two functions. It starts nothing and reads no environment."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outpost.agents import Agent

LONGEST_SUMMARY = 2000  # characters of the agent's last message that are reported
LONGEST_DETAIL = 300  # characters of a tool's input or output in the log


@dataclass(frozen=True, kw_only=True)
class Job:
    """What an adapter needs to know: files that hold the prompt, and the model or None for the CLI's own.

    Prompts are files because a task has up to 50,000 characters, more than one argument may have bytes.
    """

    prompt: Path
    home: Path
    model: str | None
    api_key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """A command line, what it adds to the agent's environment, and the file on its standard input."""

    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    stdin: Path | None = None


@dataclass
class Reader:
    """Turns a CLI's output into log lines, and remembers its last message and its error.

    `events` reads one JSON event, and answers with the lines to log. What is no JSON object is logged as
    it is: every one of these CLIs also prints plain warnings and errors.
    """

    events: Callable[["Reader", dict[str, Any]], list[str]] | None = None
    is_error: Callable[[str], bool] | None = None  # for plain text: a line that reports the CLI's failure
    summary: str = ""
    error: str = ""
    partial: str = ""  # of a message that comes in pieces

    def read(self, line: str) -> list[str]:
        """The log lines for one line of output."""
        if self.events and line.startswith("{"):
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if isinstance(event, dict):
                try:
                    return self.events(self, event)
                except (AttributeError, KeyError, TypeError, ValueError):
                    return [line]  # a newer CLI's event: better raw than lost
        if self.is_error and self.is_error(line):
            return self.fail(line)
        if self.events is None:
            self.conclude(line)
        return [line]

    def conclude(self, text: object) -> None:
        """Remember the agent's last words."""
        if isinstance(text, str) and text.strip():
            self.summary = text.strip()[:LONGEST_SUMMARY]

    def fail(self, text: object) -> list[str]:
        """Remember the CLI's own error, and log it."""
        message = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
        self.error = message[:LONGEST_SUMMARY]
        return [f"error: {message}"]


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """One agent's CLI."""

    agent: Agent
    executable: str
    invocation: Callable[[Job], Invocation]
    reader: Callable[[], Reader] = Reader


def brief(value: object, limit: int = LONGEST_DETAIL) -> str:
    """A value on one line, cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
