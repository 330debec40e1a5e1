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
from runbooks.looking import Absent, Answer, Look
from runbooks.target import Target, ago

LINES = 5000  # of one group within the look-back
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
        """Warnings, errors and tracebacks of the control plane within the look-back, oldest first."""
        return self._lines(CONTROL_PLANE_LOG_GROUP, filterPattern=TROUBLE)

    def events(self, name: str) -> list[Line]:
        """The control plane's lines whose `event` is this."""
        return [line for line in self.control_plane() if line.fields.get("event") == name]

    def when(self, line: Line) -> str:
        """When a line was written, for people: the time of day, and how long ago."""
        moment = datetime.fromtimestamp(line.time / 1000, UTC)
        return f"at {moment:%H:%M:%S} UTC, {ago((self._target.now - moment).total_seconds())} ago"

    def control_plane_task(self, task_id: str) -> list[Line]:
        """Everything that one task of the control plane wrote, oldest first."""
        stream = f"{CONTROL_PLANE_CONTAINER}/{CONTROL_PLANE_CONTAINER}/{task_id}"
        return self._lines(CONTROL_PLANE_LOG_GROUP, logStreamNames=[stream])

    def worker(self, agent: Agent, task_id: str) -> list[Line]:
        """Everything that one worker wrote, oldest first."""
        stream = f"{WORKER_CONTAINER}/{WORKER_CONTAINER}/{task_id}"
        return self._lines(log_group(agent), logStreamNames=[stream])

    def _lines(self, group: str, **selection: object) -> list[Line]:
        try:
            answer = self._look(
                "logs:FilterLogEvents",
                logGroupName=group,
                startTime=self._start,
                PaginationConfig={"MaxItems": LINES},
                **selection,
            )
        except Absent:  # no group, or no stream yet: nothing was written
            return []
        return [
            Line(str(event.get("logStreamName", "")), str(event["message"]), int(event["timestamp"]))
            for event in answer.get("events", [])
        ]
