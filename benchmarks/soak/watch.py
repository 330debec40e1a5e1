"""What the region's machine holds: processes, memory, files, tables, queues; and what is left in the end."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from local.testing import LocalRegion
from outpost.names import CONTROL_PLANE_FAMILY, CONTROL_PLANE_LOG_GROUP, Names, log_group
from service.aws.items import SHARDS

QUEUES = ("launch", "launch-dlq", "task-events", "task-events-dlq")


@dataclass(frozen=True)
class Snapshot:
    """One look. Memory in MB."""

    daemon: float
    daemon_threads: int
    daemon_files: int
    processes: int
    zombies: int
    control_planes: dict[str, float]  # by task ARN
    workers: int
    interfaces: int  # network interfaces that are not of a task

    @property
    def largest(self) -> float:
        return max(self.control_planes.values(), default=0.0)


@dataclass
class Watch:
    """Looks at one region."""

    region: LocalRegion

    def look(self) -> Snapshot:
        daemon = psutil.Process(self.region.info.pid)
        statuses = Counter(_status(child) for child in daemon.children(recursive=True))
        tasks = self.region.tasks()
        interfaces = self.region.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
        with daemon.oneshot():
            return Snapshot(
                daemon=daemon.memory_info().rss / 1e6,
                daemon_threads=daemon.num_threads(),
                daemon_files=daemon.num_fds(),
                processes=sum(statuses.values()) - statuses["gone"],
                zombies=statuses[psutil.STATUS_ZOMBIE],
                control_planes={
                    task["task"]: sum(_memory(pid) for pid in task["pids"])
                    for task in tasks
                    if task["family"] == CONTROL_PLANE_FAMILY
                },
                workers=sum(task["family"] != CONTROL_PLANE_FAMILY for task in tasks),
                interfaces=len(interfaces) - len(tasks),
            )

    def strays(self) -> list[str]:
        """Processes of this region that are not below its daemon any more, by directory or environment."""
        daemon = psutil.Process(self.region.info.pid)
        below = {daemon.pid, *(child.pid for child in daemon.children(recursive=True))}
        mark = str(self.region.paths.directory)
        return [
            f"{process.pid} {' '.join(process.info['cmdline'] or [])[:80]}"
            for process in psutil.process_iter(["cmdline"])
            if process.pid not in below and process.pid != os.getpid() and _belongs(process.pid, mark)
        ]

    # --- what the stack holds

    def _scan(self) -> Iterator[dict[str, Any]]:
        paginator = self.region.client("dynamodb").get_paginator("scan")
        for page in paginator.paginate(TableName=Names(self.region.stack).jobs_table):
            yield from page["Items"]

    def item(self, tenant: str, dispatch_id: str) -> dict[str, Any]:
        """What the table knows of a dispatch's end, for whoever has to explain it."""
        key = {"tenantId": {"S": tenant}, "dispatchId": {"S": dispatch_id}}
        item = self.region.client("dynamodb").get_item(TableName=Names(self.region.stack).jobs_table, Key=key)
        names = ("attempt", "startFailures", "startedAt", "endedAt", "taskArn", "reason", "stoppedEvidence")
        return {name: item["Item"][name] for name in names if name in item.get("Item", {})}

    def counters(self) -> dict[str, int]:
        """Tenants whose count of active dispatches is not 0."""
        found = {}
        for item in self._scan():
            kind, _, tenant = item["tenantId"]["S"].removeprefix("#").partition("#")
            active = int(item.get("active", {}).get("N", "0"))
            if item["tenantId"]["S"].startswith("#counter#") and active:
                found[f"{kind} {tenant}"] = active
        return found

    def deadlines(self) -> list[str]:
        """Dispatches that are still in the index of deadlines, which an ended one leaves."""
        client, table = self.region.client("dynamodb"), Names(self.region.stack).jobs_table
        return [
            item["dispatchId"]["S"]
            for shard in SHARDS
            for item in client.query(
                TableName=table,
                IndexName="deadline-index",
                KeyConditionExpression="deadlineShard = :shard",
                ExpressionAttributeValues={":shard": {"S": shard}},
            )["Items"]
        ]

    def queues(self) -> dict[str, int]:
        """Messages that are on a queue, visible or not; only queues that have any."""
        sqs, found = self.region.client("sqs"), {}
        for name in QUEUES:
            url = sqs.get_queue_url(QueueName=f"outpost-{name}-{self.region.stack}")["QueueUrl"]
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
            if depth := sum(
                int(attributes[each]) for each in (*counts, "ApproximateNumberOfMessagesDelayed")
            ):
                found[name] = depth
        return found

    def directories(self) -> int:
        """Directories of tasks that are left on the disk: each running task has one."""
        place = self.region.paths.directory / "tasks"
        return len(list(place.iterdir())) if place.exists() else 0

    def starts_of_agents(self, agents: tuple[str, ...]) -> Counter[str]:
        """How often an agent's process was started for each dispatch, by all logs of all attempts."""
        found: Counter[str] = Counter()
        for agent in agents:
            for message in self._log(log_group(agent), '"starting the rehearsal"'):  # type: ignore[arg-type]
                found[message.partition('"dispatchId": "')[2][:26]] += 1
        return found

    def ends_logged(self) -> Counter[str]:
        """How often the control plane said of each dispatch that it has ended."""
        found: Counter[str] = Counter()
        for message in self._log(CONTROL_PLANE_LOG_GROUP, '"dispatch-ended"'):
            found[message.partition('"dispatchId": "')[2][:26]] += 1
        return found

    def defects(self) -> list[str]:
        """Uncaught errors in the control plane's log, and tracebacks in the daemon's."""
        found = [message[:600] for message in self._log(CONTROL_PLANE_LOG_GROUP, '"uncaught-error"')]
        log = self.region.paths.log.read_text(errors="replace")
        tracebacks = log.split("Traceback (most recent call last)")[1:]
        # A target that is killed in the middle of an answer: the load balancer can only cut the connection.
        return found + [each[:2000] for each in tracebacks if "the target closed the connection" not in each]

    def _log(self, group: str, pattern: str) -> Iterator[str]:
        paginator = self.region.client("logs").get_paginator("filter_log_events")
        for page in paginator.paginate(logGroupName=group, filterPattern=pattern):
            for event in page["events"]:
                yield event["message"]


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return "gone"


def _memory(pid: int) -> float:
    try:
        return float(psutil.Process(pid).memory_info().rss / 1e6)
    except psutil.NoSuchProcess:
        return 0.0


def _belongs(pid: int, mark: str) -> bool:
    """Whether a process works below a directory, or was told of it."""
    try:
        if str(Path(f"/proc/{pid}/cwd").readlink()).startswith(mark):
            return True
        return mark.encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False  # gone, or another user's
