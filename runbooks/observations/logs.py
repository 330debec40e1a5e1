"""CloudWatch Logs: the control plane's warnings and errors, and the tail of a worker's log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from outpost.agents import Agent
from outpost.names import (
    CONTROL_PLANE_CONTAINER,
    CONTROL_PLANE_LOG_GROUP,
    WORKER_CONTAINER,
    log_group,
)
from runbooks.looking import Absent, Answer, CouldNotLook, Look
from runbooks.target import Target, ago

LINES = 5000  # of the control plane's trouble in one read
NARROWED = 10  # times that a look-back is halved to find the newest lines
TAIL = 200  # last lines of a task: what it was doing, and why it ended
# Terms with `?` are alternatives: what a healthy control plane at level info does not write.
TROUBLE = '?WARNING ?ERROR ?CRITICAL ?Traceback ?Error ?"is not set"'


@dataclass(frozen=True)
class Line:
    """One log line. `fields` is its JSON object, empty for plain text."""

    stream: str
    text: str
    time: int  # milliseconds since 1970

    @property
    def task_id(self) -> str:
        return self.stream.rpartition("/")[2]

    @property
    def fields(self) -> Answer:
        try:
            parsed = json.loads(self.text)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @property
    def message(self) -> str:
        return str(self.fields.get("message") or self.text)


class Logs:
    def __init__(self, look: Look, target: Target) -> None:
        self._look = look
        self._target = target
        self._start = int((target.now - timedelta(seconds=target.since)).timestamp() * 1000)

    def control_plane(self) -> list[Line]:
        """Warnings, errors and tracebacks of the control plane within the look-back, oldest first.

        Of a log that holds more than `LINES` of them, the oldest and the newest: see `whole`.
        """
        oldest = self._lines(self._start)
        if len(oldest) < LINES:
            return oldest
        # AWS answers the oldest first: find from when on the newest are few enough to be read whole.
        newest: list[Line] = []
        full, few = self._start, int(self._target.now.timestamp() * 1000)
        for _ in range(NARROWED):
            middle = (full + few) // 2
            found = self._lines(middle)
            if len(found) >= LINES:
                full = middle
                continue
            few, newest = middle, found
            if len(newest) > LINES // 2:
                break
        return oldest + [line for line in newest if line.time > oldest[-1].time]

    def whole(self) -> bool:
        """Whether `control_plane` has everything that was written."""
        return len(self._lines(self._start)) < LINES

    def events(self, name: str) -> list[Line]:
        """The control plane's lines whose `event` is this.

        Raises `CouldNotLook` when there is none in a log of which only a part could be read.
        """
        found = [line for line in self.control_plane() if line.fields.get("event") == name]
        if not found and not self.whole():
            raise CouldNotLook("logs:FilterLogEvents", "too large", f"more than {LINES} lines of trouble")
        return found

    def when(self, line: Line) -> str:
        """When a line was written, for people: the time of day, and how long ago."""
        moment = datetime.fromtimestamp(line.time / 1000, UTC)
        return f"at {moment:%H:%M:%S} UTC, {ago((self._target.now - moment).total_seconds())} ago"

    def control_plane_task(self, task_id: str) -> list[Line]:
        """The last lines that one task of the control plane wrote, oldest first."""
        return self._tail(CONTROL_PLANE_LOG_GROUP, CONTROL_PLANE_CONTAINER, task_id)

    def worker(self, agent: Agent, task_id: str) -> list[Line]:
        """The last lines that one worker wrote, oldest first: however long ago, while the log is kept."""
        return self._tail(log_group(agent), WORKER_CONTAINER, task_id)

    def _lines(self, start: int) -> list[Line]:
        """The oldest lines of trouble from a moment on (milliseconds since 1970), `LINES` at most."""
        try:
            answer = self._look(
                "logs:FilterLogEvents",
                logGroupName=CONTROL_PLANE_LOG_GROUP,
                filterPattern=TROUBLE,
                startTime=start,
                PaginationConfig={"MaxItems": LINES},
            )
        except Absent:  # no group yet: nothing was written
            return []
        return [_line(event, str(event.get("logStreamName", ""))) for event in answer.get("events", [])]

    def _tail(self, group: str, container: str, task_id: str) -> list[Line]:
        stream = f"{container}/{container}/{task_id}"
        try:
            answer = self._look(
                "logs:GetLogEvents",
                logGroupName=group,
                logStreamName=stream,
                startFromHead=False,
                limit=TAIL,
            )
        except Absent:  # no group, or no stream yet: nothing was written
            return []
        return [_line(event, stream) for event in answer.get("events", [])]


def _line(event: Answer, stream: str) -> Line:
    return Line(stream, str(event["message"]), int(event["timestamp"]))
