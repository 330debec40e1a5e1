"""What happened around a fault, in order: deployments, task stops, service events, alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbooks.looking import Absent, CouldNotLook
from runbooks.observations import Region
from runbooks.redaction import redact

Source = Callable[[Region], Iterator["Event"]]


@dataclass(frozen=True)
class Event:
    """Something that happened. `kind` is deployment, stop, service, alarm or dispatch."""

    time: datetime
    kind: str
    text: str


def timeline(region: Region) -> tuple[list[Event], list[str]]:
    """Events within the look-back, oldest first, and what could not be looked at."""
    oldest = region.target.now - timedelta(seconds=region.target.since)
    events: list[Event] = []
    blind: list[str] = []
    for source in _SOURCES:
        try:
            events += [event for event in source(region) if event.time >= oldest]
        except (Absent, CouldNotLook) as error:
            blind.append(str(error))
    return sorted(events, key=lambda event: event.time), sorted(set(blind))


def _deployments(region: Region) -> Iterator[Event]:
    for deployment in region.containers.service().get("deployments", []):
        name = str(deployment.get("taskDefinition", "")).rpartition("/")[2]
        state = deployment.get("rolloutState") or deployment.get("status", "")
        if deployment.get("createdAt"):
            yield Event(deployment["createdAt"], "deployment", f"{name}: {state}")


def _service(region: Region) -> Iterator[Event]:
    for event in region.containers.service().get("events", []):
        yield Event(event["createdAt"], "service", str(event["message"]))


def _stops(region: Region) -> Iterator[Event]:
    for task in region.containers.stopped():
        if task.raw.get("stoppedAt"):
            reason = task.reason or task.stopped_reason
            yield Event(task.raw["stoppedAt"], "stop", f"task {task.id}: exit {task.exit_code}, {reason}")


def _alarms(region: Region) -> Iterator[Event]:
    for item in region.metrics.alarm_history():
        yield Event(item["Timestamp"], "alarm", f"{item['AlarmName']}: {item['HistorySummary']}")


def _dispatches(region: Region) -> Iterator[Event]:
    for job in region.dispatches.unresolved():
        text = f"dispatch {job.id}: {job.agent} {job.status}, {redact(job.reason)}"
        yield Event(job.finished or job.created, "dispatch", text)


_SOURCES: tuple[Source, ...] = (_deployments, _service, _stops, _alarms, _dispatches)
