"""The log of one dispatch: JSON lines, on stdout for CloudWatch and in output.log for the tenant.

Bounded, redacted, and whole in every line: what an agent prints is untrusted bytes of any length.
"""

import base64
import codecs
import json
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

Stream = Literal["agent", "worker"]
Level = Literal["info", "warning", "error"]

# The awslogs driver cuts lines at 16 KiB; this many characters stay below it even at four bytes each.
MAX_MESSAGE = 3500
MAX_LINE = 256 * 1024  # characters that are gathered before a line without an end is written anyway
MAX_LOG = 64 * 1024 * 1024  # bytes of output.log; what comes after is counted, and the last lines are kept
TAIL = 400  # lines that are kept for the classification of a failure, and for the end of a cut log

REDACTED = "[redacted]"
# Keys by their shape, for those that the worker was never told. Shapes as their issuers document them.
_KEY_SHAPES = re.compile(
    r"sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}"
    r"|otp_[0-9a-f]{64}|xai-[A-Za-z0-9]{40,}|AIza[A-Za-z0-9_-]{35}|(?:AKIA|ASIA)[A-Z0-9]{16}"
)
# Terminal escapes and control characters: they would hide text from a reader of the log.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")


def iso(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Redactor:
    """Replaces secrets by `[redacted]`: the given ones, in plain and as git sends them, and known shapes."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str | None) -> None:
        """Also redact this one; anything shorter than 6 characters is not a secret but a word."""
        if secret and len(secret) >= 6:
            self._secrets += [secret, base64.b64encode(f"x-access-token:{secret}".encode()).decode()]
            self._secrets.sort(key=len, reverse=True)

    def __call__(self, text: str) -> str:
        # An agent's JSON may hold halves of surrogate pairs, which no encoding takes.
        text = text.encode("utf-8", "replace").decode()
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return _KEY_SHAPES.sub(REDACTED, text)


class Journal:
    """Writes log lines; safe to use from several threads. A file that takes no more is done without."""

    def __init__(
        self,
        dispatch_id: str,
        path: Path,
        redact: Redactor,
        *,
        stdout: IO[str] | None = None,
        limit: int = MAX_LOG,
    ) -> None:
        self._dispatch_id = dispatch_id
        self.redact = redact
        self._stdout = stdout or sys.stdout
        self._path = path
        # In a directory that was made just now; the name may be another's later, the file stays this one.
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._limit = limit
        self._written = 0
        self._left_out = 0
        self._full = False  # the limit is reached
        self._takes = True  # the disk has room
        self._recent: deque[tuple[str, str, Level, Stream]] = deque(maxlen=TAIL)
        self._lock = threading.Lock()

    def say(self, message: str, *, level: Level = "info", stream: Stream = "worker") -> None:
        """Write one message as one line, or as several where it is longer than a line may be."""
        now = iso(time.time())
        if self._full:
            # An agent that floods its log is read to its end, so as cheaply as can be.
            with self._lock:
                self._recent.append((now, message[:MAX_MESSAGE], level, stream))
                self._left_out += 1
            if self._file.closed:
                self._print(now, message, level, stream)
            return
        clean = self._clean(message)
        for start in range(0, max(len(clean), 1), MAX_MESSAGE):
            self._write((now, clean[start : start + MAX_MESSAGE], level, stream))

    def _clean(self, message: str) -> str:
        return self.redact(_CONTROL.sub("", message.replace("\r", "\n"))).strip("\n")

    def _line(self, entry: tuple[str, str, Level, Stream]) -> str:
        at, message, level, stream = entry
        record = {
            "time": at,
            "level": level,
            "dispatchId": self._dispatch_id,
            "stream": stream,
            "message": message,
        }
        return json.dumps(record, ensure_ascii=False) + "\n"

    def _write(self, entry: tuple[str, str, Level, Stream]) -> None:
        line = self._line(entry)
        size = len(line.encode("utf-8", "replace"))
        with self._lock:
            self._recent.append(entry)
            if not self._file.closed:
                if self._written + size > self._limit:
                    self._full = True
                    self._left_out += 1
                    return
                self._written += size
                self._store(line)
            self._stdout.write(line)
            self._stdout.flush()

    def _store(self, line: str) -> None:
        """Into the file, as long as it takes lines: on a full disk stdout is what is left."""
        if self._takes:
            try:
                self._file.write(line)
            except OSError:
                self._takes = False
        self._left_out += not self._takes

    def _print(self, now: str, message: str, level: Level, stream: Stream) -> None:
        self._stdout.write(self._line((now, self._clean(message), level, stream)))
        self._stdout.flush()

    def complain(self, message: str) -> None:
        """Say that something failed; after `close` it goes to stdout alone."""
        self.say(message, level="error")

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines, as they are written."""
        with self._lock:
            recent = tuple(self._recent)
        return tuple(
            self._line((now, self._clean(message), level, stream)) for now, message, level, stream in recent
        )

    def close(self) -> None:
        """Finish output.log: where it was cut, with a note and the last lines. Raises `OSError`."""
        if self._file.closed:
            return
        last = self.tail
        with self._lock:
            try:
                self._file.close()
            except OSError:  # what was not written yet is among the last lines
                self._takes = False
            if self._takes and not self._full:
                return
            kept = min(self._left_out, len(last))
            why = "over the log's limit" if self._full else "not there: the disk was full"
            note = f"{self._left_out} lines are {why}; the last {kept} follow"
            # The agent may have put a link in the file's place: not followed.
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "r+", encoding="utf-8", newline="\n") as file:
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":  # cut where the disk was full
                    file.write("\n")
                record = {"dispatchId": self._dispatch_id, "level": "warning", "stream": "worker"}
                file.write(json.dumps(record | {"message": note}) + "\n")
                file.writelines(last[-kept:] if kept else ())


class LineSplitter:
    """Turns chunks of bytes into lines of text: UTF-8 across chunk borders, bounded line length."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._limit = limit

    def feed(self, chunk: bytes, *, final: bool = False) -> list[str]:
        """The lines that this chunk completes; with `final`, also what is left."""
        text = self._rest + self._decode(chunk, final)
        *lines, self._rest = text.split("\n")
        if len(self._rest) > self._limit or (final and self._rest):
            lines.append(self._rest)
            self._rest = ""
        return [line.rstrip("\r") for line in lines]
