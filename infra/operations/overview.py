"""`./inv status` and `./inv logs`: what runs, and what it says."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from infra.operations.health import UnhealthyError, await_health
from infra.operations.rollout import Deployment, described
from infra.operations.running import Running
from outpost.agents import Agent
from outpost.errors import OutpostError
from outpost.names import CONTROL_PLANE_LOG_GROUP, log_group

EVENTS = 5
POLL = 2  # seconds between two looks at a followed log


def status(running: Running) -> dict[str, Any]:
    """The service, its deployments, its last events, and how the API answers."""
    service = described(running.client("ecs"), running.names)
    try:
        health = dict(await_health(running.api_url(), timeout=0))
    except (UnhealthyError, OutpostError) as error:
        health = {"status": "unhealthy", "reason": error.message}
    return {
        "cluster": running.names.cluster,
        "service": service["serviceName"],
        "desired": service.get("desiredCount", 0),
        "running": service.get("runningCount", 0),
        "pending": service.get("pendingCount", 0),
        "deployments": [vars(Deployment.of(each)) for each in service["deployments"]],
        "events": [
            {"time": event["createdAt"].isoformat(), "message": event["message"]}
            for event in service.get("events", ())[:EVENTS]
        ],
        "health": health,
    }


def as_text(found: dict[str, Any]) -> str:
    """For people."""
    lines = [
        f"{found['cluster']}/{found['service']}: {found['running']} of {found['desired']} running,"
        f" {found['pending']} pending",
        *(
            f"  {each['status']:8} {each['task_definition'].rpartition('/')[2]} {each['state']}"
            f" {each['running']}/{each['desired']} {each['reason']}".rstrip()
            for each in found["deployments"]
        ),
        *(f"  {event['time']} {event['message']}" for event in found["events"]),
        f"health: {found['health'].get('status')}"
        + "".join(
            f", {key} {found['health'][key]}" for key in ("version", "reason") if key in found["health"]
        ),
    ]
    return "\n".join(lines)


def log_lines(
    running: Running, agent: str, *, since: int, pattern: str = "", follow: bool = False
) -> Iterator[str]:
    """The lines of the control plane's log, or an agent's, of the last `since` seconds, oldest first.

    `follow` goes on until it is interrupted. Raises `OutpostError` (`unknown-agent`, `no-log-group`).
    """
    logs = running.client("logs")
    group = _group(agent)
    start = int((time.time() - since) * 1000)
    seen: set[str] = set()
    while True:
        question: dict[str, Any] = {"logGroupName": group, "startTime": start, "filterPattern": pattern}
        try:
            for page in logs.get_paginator("filter_log_events").paginate(**question):
                for event in page["events"]:
                    if event["eventId"] not in seen:
                        seen.add(event["eventId"])
                        # Events come late by some seconds, so the next look starts no later than this.
                        start = max(start, event["timestamp"] - 10_000)
                        yield _line(event)
        except logs.exceptions.ResourceNotFoundException as error:
            raise OutpostError(
                "no-log-group", f"There is no log group {group}.", remedy="Deploy the stack: ./inv deploy."
            ) from error
        if not follow:
            return
        time.sleep(POLL)


def _group(agent: str) -> str:
    if not agent:
        return CONTROL_PLANE_LOG_GROUP
    try:
        return log_group(Agent(agent))
    except ValueError as error:
        raise OutpostError(
            "unknown-agent", f"{agent!r} is not an agent.", remedy=f"Use one of {', '.join(Agent)}."
        ) from error


def _line(event: dict[str, Any]) -> str:
    when = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    task = event["logStreamName"].rpartition("/")[2][:8]
    return f"{when:%Y-%m-%dT%H:%M:%SZ} {task} {event['message'].rstrip()}"
