"""What happened around a fault, in order: deployments, task stops, service events, alarms, dispatches.

ECS writes half a dozen lines for each start that fails. What is alike is counted, ARNs become names, and a
task that failed is given with its last words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from runbooks.looking import Absent, CouldNotLook
from runbooks.observations import Region
from runbooks.observations.shapes import Task
from runbooks.redaction import redact

MANY = 3  # events that are alike, from which on they are counted
QUOTED = 3  # failed tasks whose last words are read
LONGEST = 160  # characters of them

_SERVICE = re.compile(r"^\(service [^)]*\)\s*")
_ARN = re.compile(r"arn:aws[\w-]*:[^\s)]*?[:/]([\w.-]+)(?:/[0-9a-f]{8,})?(?=[\s),.]|$)")
_IDENTITY = re.compile(r"\b(?:[0-9a-f]{8,}|ecs-svc/\w+|\d+(?:\.\d+)*|[0-9A-HJKMNP-TV-Z]{26})\b")


@dataclass(frozen=True)
class Event:
    """Something that happened. `kind` is deployment, stop, service, alarm or dispatch."""

    time: datetime
    kind: str
    text: str


Source = Callable[[Region], Iterator[Event]]


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
    return sorted(counted(events), key=lambda event: event.time), sorted(set(blind))


def counted(events: Sequence[Event]) -> list[Event]:
    """Events of which many are alike but for ids and numbers as one, with how many and until when."""
    alike: dict[tuple[str, str], list[Event]] = {}
    for event in sorted(events, key=lambda event: event.time):
        text = event.text.partition(": ")[2] if event.kind == "alarm" else event.text
        alike.setdefault((event.kind, _IDENTITY.sub("_", text)), []).append(event)
    found: list[Event] = []
    for same in alike.values():
        if len(same) < MANY:
            found += same
            continue
        last = same[-1]
        until = f"{last.time.astimezone(UTC):%H:%M:%S}"
        found.append(replace(same[0], text=f"{len(same)} × until {until}, the last: {last.text}"))
    return found


def shortened(message: str) -> str:
    """A message of ECS without the service's name, and with names in place of ARNs."""
    return _ARN.sub(r"\1", _SERVICE.sub("", message))


def _deployments(region: Region) -> Iterator[Event]:
    for deployment in region.containers.service().get("deployments", []):
        name = str(deployment.get("taskDefinition", "")).rpartition("/")[2]
        state = deployment.get("rolloutState") or deployment.get("status", "")
        if deployment.get("createdAt"):
            yield Event(deployment["createdAt"], "deployment", f"deployment of {name} began, now {state}")


def _service(region: Region) -> Iterator[Event]:
    for event in region.containers.service().get("events", []):
        yield Event(event["createdAt"], "service", shortened(str(event["message"])))


def _stops(region: Region) -> Iterator[Event]:
    quoted = 0
    for task in region.containers.stopped():
        if not task.raw.get("stoppedAt"):
            continue
        words = ""
        if task.exit_code not in (None, 0) and quoted < QUOTED:
            quoted += 1
            words = _last_words(region, task)
        name = task.definition.rpartition("/")[2]
        lived = f" after {task.lifetime:.0f} s" if task.lifetime is not None else ""
        text = f"task {task.id} of {name} stopped{lived}: exit {task.exit_code}, "
        yield Event(task.raw["stoppedAt"], "stop", f"{text}{task.reason or task.stopped_reason}{words}")


def _last_words(region: Region, task: Task) -> str:
    said = [line.message.strip() for line in region.logs.control_plane_task(task.id) if line.message.strip()]
    return f'; it said last: "{said[-1].splitlines()[-1][:LONGEST]}"' if said else ""


def _alarms(region: Region) -> Iterator[Event]:
    for item in region.metrics.alarm_history():
        if "ALARM" not in item["HistorySummary"]:
            continue  # a new alarm's first OK: of a stack just made, a line for each
        yield Event(item["Timestamp"], "alarm", f"{item['AlarmName']}: {item['HistorySummary']}")


def _dispatches(region: Region) -> Iterator[Event]:
    for job in region.dispatches.unresolved():
        text = f"dispatch {job.id}: {job.agent} {job.status}, {redact(job.reason)}"
        yield Event(job.finished or job.created, "dispatch", text)


_SOURCES: tuple[Source, ...] = (_deployments, _service, _stops, _alarms, _dispatches)
