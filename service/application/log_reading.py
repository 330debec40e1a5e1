"""A dispatch's log: from CloudWatch while it is there, from the archived output.log afterwards."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service import log
from service.domain.job import Job
from service.domain.ports import Artifacts, Logs, UnavailableError
from service.domain.times import from_iso, iso

ARCHIVE_BYTES = 256 * 1024  # read at a time from output.log


class BadCursorError(Exception):
    """A cursor that this service did not give out."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line, as it is shown: redacted. `at` in epoch seconds."""

    at: float
    message: str
    level: str = "info"
    stream: str = "worker"


@dataclass(frozen=True, kw_only=True)
class LinePage:
    """Lines, the cursor to read on from, and whether there will be no more."""

    lines: Sequence[Line]
    cursor: str | None
    complete: bool


class LogReading:
    """Reads pages of lines. A cursor says where from, and where in it."""

    def __init__(self, *, logs: Logs, artifacts: Artifacts) -> None:
        self._logs = logs
        self._artifacts = artifacts

    def page(self, job: Job, cursor: str | None, limit: int) -> LinePage:
        """The next lines, oldest first. Raises `BadCursorError` and `UnavailableError`."""
        source, place = _decode(cursor)
        if source == "archive":
            return self._archived(job, int(place), limit)
        if job.task_arn is None:
            return LinePage(lines=(), cursor=None, complete=job.status.terminal)
        try:
            page = self._logs.page(job.agent, job.task_arn, place or None, limit)
        except UnavailableError as error:
            if place and error.code == "InvalidParameterException":  # forged, or over a day old
                raise BadCursorError(place) from error
            raise
        if page.token is None and job.status.terminal and not place:
            return self._archived(job, 0, limit)
        lines = [line_of(each.at, each.message) for each in page.lines]
        # CloudWatch gives the same token again at the end of what there is.
        complete = job.status.terminal and (page.token is None or page.token == place)
        return LinePage(
            lines=lines,
            cursor=_encode("logs", page.token) if page.token else cursor,
            complete=complete,
        )

    def _archived(self, job: Job, start: int, limit: int) -> LinePage:
        data = self._artifacts.read(f"{job.dispatch_id}/output.log", start=start, limit=ARCHIVE_BYTES)
        if not data:
            return LinePage(lines=(), cursor=_encode("archive", str(start)), complete=True)
        last = len(data) < ARCHIVE_BYTES
        # A line may be cut at the end of what was read; it is read whole the next time.
        end = len(data) if last else data.rfind(b"\n") + 1 or len(data)
        # By line feeds alone: a message may hold what else Unicode takes for the end of a line.
        found = data[:end].split(b"\n", limit)
        # What follows the last line feed: more lines, nothing, or a line that was never ended.
        rest = found.pop() if len(found) > limit or not found[-1] else b""
        texts = [each.decode("utf-8", "replace") for each in found]
        return LinePage(
            lines=[line_of(job.started_at or job.created_at, text) for text in texts],
            cursor=_encode("archive", str(start + end - len(rest))),
            complete=last and not rest,
        )


def line_of(at: float, text: str) -> Line:
    """A line of the worker (a JSON object) or of whatever else wrote to its stdout."""
    try:
        found: Any = json.loads(text)
        moment = from_iso(found["time"]) if "time" in found else at
        iso(moment)  # a year that cannot be shown is no time
        return Line(
            at=moment,
            message=_safe(str(found["message"])),
            level=_safe(str(found.get("level", "info"))),
            stream=_safe(str(found.get("stream", "worker"))),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return Line(at=at, message=_safe(text))


def _safe(text: str) -> str:
    """Redacted, and without the halves of surrogate pairs that JSON can spell and UTF-8 cannot."""
    return log.redact(text.encode("utf-8", "replace").decode())


def event_id(cursor: str | None, read: int) -> str:
    """The id of a streamed line: the cursor of its page, and how many of the page's lines were sent."""
    return f"{cursor or ''}~{read}"


def place_of_event(last: str | None) -> tuple[str | None, int]:
    """Where a stream goes on after the event with this id. Raises `BadCursorError`."""
    if not last:
        return None, 0
    cursor, tilde, read = last.partition("~")
    if not tilde or not read.isdecimal() or len(read) > 6:
        raise BadCursorError(last)
    _decode(cursor or None)
    return cursor or None, int(read)


def shown(line: Line) -> dict[str, str]:
    return {"time": iso(line.at), "level": line.level, "stream": line.stream, "message": line.message}


def _encode(source: str, place: str) -> str:
    return urlsafe_b64encode(f"{source}:{place}".encode()).decode().rstrip("=")


def _decode(cursor: str | None) -> tuple[str, str]:
    if cursor is None:
        return "logs", ""
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except ValueError as error:
        raise BadCursorError(cursor) from error
    source, colon, place = text.partition(":")
    valid = colon and ((source == "logs" and place) or (source == "archive" and place.isdecimal()))
    if not valid or len(place) > 512:
        raise BadCursorError(cursor)
    return source, place
