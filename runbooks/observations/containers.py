"""ECS: the service, its tasks, and task definitions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from outpost.agents import Agent
from outpost.names import SERVICE, family
from runbooks.looking import Absent, Answer, CouldNotLook, Look
from runbooks.observations.shapes import Definition, Task
from runbooks.target import Target

DESCRIBE_TASKS_LIMIT = 100  # ARNs in one call


class Containers:
    """The control plane's service and the agents' task definitions."""

    def __init__(self, look: Look, target: Target, tried: str = "") -> None:
        """`tried` is the ARN of a task definition to look at in place of the one that the service wants."""
        self._look = look
        self._target = target
        self._cluster = target.names.cluster
        self._tried = tried

    def cluster(self) -> Answer:
        """Raises `Absent`."""
        answer = self._look("ecs:DescribeClusters", clusters=[self._cluster])
        if not answer.get("clusters"):
            raise Absent("ecs:DescribeClusters", "MISSING", self._cluster)
        found: Answer = answer["clusters"][0]
        return found

    def service(self) -> Answer:
        """The control plane's service. Raises `Absent` when there is none, or it is being deleted."""
        answer = self._look("ecs:DescribeServices", cluster=self._cluster, services=[SERVICE])
        active = [service for service in answer.get("services", []) if service.get("status") == "ACTIVE"]
        if not active:
            raise Absent("ecs:DescribeServices", "MISSING", f"{self._cluster}/{SERVICE}")
        found: Answer = active[0]
        return found

    def events(self) -> Iterator[str]:
        """The service's event messages within the look-back, newest first."""
        oldest = self._target.now - timedelta(seconds=self._target.since)
        for event in self.service().get("events", []):
            if event["createdAt"] >= oldest:
                yield str(event["message"])

    def scalable_target(self) -> Answer | None:
        """How the service scales by itself: `MinCapacity`, `MaxCapacity`; None when it does not."""
        answer = self._look(
            "application-autoscaling:DescribeScalableTargets",
            ServiceNamespace="ecs",
            ResourceIds=[f"service/{self._cluster}/{SERVICE}"],
        )
        return next(iter(answer.get("ScalableTargets", [])), None)

    def scaling_activities(self) -> list[Answer]:
        """What scaled the service within the look-back, newest first."""
        answer = self._look(
            "application-autoscaling:DescribeScalingActivities",
            ServiceNamespace="ecs",
            ResourceId=f"service/{self._cluster}/{SERVICE}",
        )
        oldest = self._target.now - timedelta(seconds=self._target.since)
        return [a for a in answer.get("ScalingActivities", []) if a["StartTime"] >= oldest]

    def deploying(self) -> bool:
        """Whether a deployment is under way: not every task is of the primary one yet."""
        deployments = self.service().get("deployments", [])
        return len(deployments) > 1 or any(d.get("rolloutState") == "IN_PROGRESS" for d in deployments)

    def steady(self) -> bool:
        """Whether all the tasks that are wanted run, of one deployment."""
        service = self.service()
        running, desired = service.get("runningCount", 0), service.get("desiredCount", 0)
        return running >= desired > 0 and not self.deploying()

    def definition(self) -> Definition:
        """The task definition that the service wants. Raises `Absent`."""
        return self.described(self._tried or str(self.service()["taskDefinition"]))

    def rejected(self) -> Definition | None:
        """The task definition whose deployment failed and was rolled back by ECS; None where none was."""
        if not self.rolled_back():
            return None
        wanted = self.definition().revision
        failed = [task for task in self.stopped() if task.revision > wanted]
        try:
            return self.described(failed[0].definition) if failed else None
        except Absent:
            return None  # deleted since

    def agent_definition(self, agent: Agent) -> Definition:
        """The latest ACTIVE revision of an agent. Raises `Absent` when there is none."""
        found = self.described(family(agent))
        if found.raw.get("status", "ACTIVE") != "ACTIVE":
            raise Absent("ecs:DescribeTaskDefinition", str(found.raw["status"]), found.name)
        return found

    def described(self, definition: str) -> Definition:
        """A task definition by ARN, or by family for its latest ACTIVE revision. Raises `Absent`."""
        answer = self._look("ecs:DescribeTaskDefinition", taskDefinition=definition)
        return Definition(answer["taskDefinition"])

    def last_inactive(self, family: str) -> Definition | None:
        """The newest revision that was deregistered; None when there is none."""
        answer = self._look(
            "ecs:ListTaskDefinitions",
            familyPrefix=family,
            status="INACTIVE",
            sort="DESC",
            PaginationConfig={"MaxItems": 1},
        )
        arns = answer.get("taskDefinitionArns", [])
        return self.described(arns[0]) if arns else None

    def running(self) -> list[Task]:
        """The service's tasks that should run, whatever state they have reached."""
        return self._tasks(serviceName=SERVICE, desiredStatus="RUNNING")

    def newest_start(self) -> float:
        """When the newest task of the service started, in seconds since 1970; 0 when none has."""
        starts = [task.raw["startedAt"] for task in self.running() if "startedAt" in task.raw]
        return max(starts).timestamp() if starts else 0.0

    def stopped(self) -> list[Task]:
        """The service's tasks that ended within the look-back, newest first (ECS forgets after an hour)."""
        oldest = self._target.now - timedelta(seconds=self._target.since)
        ended = [
            task
            for task in self._tasks(serviceName=SERVICE, desiredStatus="STOPPED")
            if task.raw.get("stoppedAt") is None or task.raw["stoppedAt"] >= oldest
        ]
        return sorted(ended, key=_stopped_at, reverse=True)

    def failed(self) -> list[Task]:
        """Stopped tasks whose end still matters: none that a later, steady deployment has replaced.

        Where ECS rolled a deployment back, the tasks of the revision that it gave up on still matter.
        """
        steady_since = self._steady_since()
        if steady_since is None:
            return self.stopped()
        rolled_back, wanted = self.rolled_back(), self.definition().revision
        return [
            task
            for task in self.stopped()
            # A task of another revision that ends now was replaced, however it ended.
            if (task.revision == wanted and _stopped_at(task) > steady_since)
            or (rolled_back and task.revision > wanted)
        ]

    def rolled_back(self) -> bool:
        """Whether the present deployment is ECS's own roll-back of one that failed."""
        primary = [d["id"] for d in self.service().get("deployments", []) if d.get("status") == "PRIMARY"]
        return any(
            f"rolling back to deployment {identity}" in text for identity in primary for text in self.events()
        )

    def in_cluster(self) -> list[Task]:
        """All tasks of the cluster that should run: the control plane's and the agents'."""
        return self._tasks(desiredStatus="RUNNING")

    def _steady_since(self) -> float | None:
        """When all wanted tasks had started and none had failed since; None while they have not."""
        service = self.service()
        if self.deploying() or service.get("runningCount", 0) < service.get("desiredCount", 0):
            return None
        wanted = self.definition().arn
        starts = [
            t.raw["startedAt"] for t in self.running() if t.definition == wanted and "startedAt" in t.raw
        ]
        return max(starts).timestamp() if starts else None

    def _tasks(self, **selection: Any) -> list[Task]:
        listed = self._look("ecs:ListTasks", cluster=self._cluster, **selection)
        arns = sorted(listed.get("taskArns", []))
        found: list[Task] = []
        for start in range(0, len(arns), DESCRIBE_TASKS_LIMIT):
            page = self._look(
                "ecs:DescribeTasks", cluster=self._cluster, tasks=arns[start : start + DESCRIBE_TASKS_LIMIT]
            )
            found += [Task(raw) for raw in page.get("tasks", [])]
        if arns and not found:  # one may be forgotten between the two calls, not all of them
            raise CouldNotLook(
                "ecs:DescribeTasks", "failed", f"it describes none of {len(arns)} listed tasks"
            )
        return found


def _stopped_at(task: Task) -> float:
    moment: datetime | None = task.raw.get("stoppedAt")
    return moment.timestamp() if moment else float("inf")
