"""A task and a task definition, as ECS describes them."""

from __future__ import annotations

from dataclasses import dataclass

from outpost.names import CONTROL_PLANE_CONTAINER, WORKER_CONTAINER
from runbooks.looking import Answer


@dataclass(frozen=True)
class Task:
    """An ECS task as DescribeTasks shows it; `exit_code` and `reason` are the main container's."""

    raw: Answer

    @property
    def arn(self) -> str:
        return str(self.raw["taskArn"])

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def definition(self) -> str:
        return str(self.raw.get("taskDefinitionArn", ""))

    @property
    def revision(self) -> int:
        """Of its task definition."""
        return int(self.definition.rpartition(":")[2] or 0)

    @property
    def stop_code(self) -> str:
        return str(self.raw.get("stopCode", ""))

    @property
    def stopped_reason(self) -> str:
        return str(self.raw.get("stoppedReason", ""))

    @property
    def container(self) -> Answer:
        containers: list[Answer] = self.raw.get("containers", [])
        mine = [c for c in containers if c.get("name") in (CONTROL_PLANE_CONTAINER, WORKER_CONTAINER)]
        return (mine or containers or [{}])[0]

    @property
    def exit_code(self) -> int | None:
        return self.container.get("exitCode")

    @property
    def reason(self) -> str:
        return str(self.container.get("reason", ""))

    @property
    def lifetime(self) -> float | None:
        """Seconds between the start of its container and its end; None when it never ran or has not ended."""
        started, stopped = self.raw.get("startedAt"), self.raw.get("stoppedAt")
        return (stopped - started).total_seconds() if started and stopped else None

    @property
    def out_of_memory(self) -> bool:
        """Killed for its memory, and not for stopping too slowly: both end with 137."""
        return "OutOfMemory" in self.reason or "OutOfMemory" in self.stopped_reason


@dataclass(frozen=True)
class Definition:
    """A task definition as DescribeTaskDefinition shows it, by its main container."""

    raw: Answer

    @property
    def arn(self) -> str:
        return str(self.raw["taskDefinitionArn"])

    @property
    def name(self) -> str:
        """Family and revision, such as `outpost-claude:3`."""
        return f"{self.raw['family']}:{self.raw['revision']}"

    @property
    def revision(self) -> int:
        return int(self.raw["revision"])

    @property
    def memory(self) -> int:
        """What the main container may use, in MiB: the task's size, or its own hard limit below that."""
        sizes = (self.raw.get("memory"), self.container.get("memory"))
        return min((int(size) for size in sizes if size), default=0)

    @property
    def cpu(self) -> int:
        return int(self.raw.get("cpu") or self.container.get("cpu") or 0)

    @property
    def container(self) -> Answer:
        containers: list[Answer] = self.raw["containerDefinitions"]
        mine = [c for c in containers if c.get("name") in (CONTROL_PLANE_CONTAINER, WORKER_CONTAINER)]
        return (mine or containers)[0]

    @property
    def environment(self) -> dict[str, str]:
        return {item["name"]: item["value"] for item in self.container.get("environment", [])}

    @property
    def secrets(self) -> dict[str, str]:
        return {item["name"]: item["valueFrom"] for item in self.container.get("secrets", [])}

    @property
    def task_role(self) -> str:
        """The task role's name; empty when it has none."""
        return str(self.raw.get("taskRoleArn") or "").rpartition("/")[2]
