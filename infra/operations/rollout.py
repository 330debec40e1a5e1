"""Follows a deployment of the service until it has ended, and tells a roll-back from a success."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from outpost.errors import OutpostError
from outpost.names import SERVICE, Names

POLL = 3  # seconds between two looks
TIMEOUT = 15 * 60  # seconds; ECS's circuit breaker has given up by then
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployment of the service, as ECS describes it."""

    id: str
    status: str  # PRIMARY: the newest; ACTIVE: being replaced
    task_definition: str
    desired: int
    running: int
    pending: int
    failed: int
    state: str  # IN_PROGRESS, COMPLETED or FAILED
    reason: str

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> "Deployment":
        return cls(
            id=described["id"],
            status=described["status"],
            task_definition=described["taskDefinition"],
            desired=described.get("desiredCount", 0),
            running=described.get("runningCount", 0),
            pending=described.get("pendingCount", 0),
            failed=described.get("failedTasks", 0),
            state=described.get("rolloutState", ""),
            reason=described.get("rolloutStateReason", ""),
        )

    @property
    def revision(self) -> str:
        """Family and revision, such as outpost-control-plane:7."""
        return self.task_definition.rpartition("/")[2]

    def progress(self) -> str:
        return (
            f"{self.revision}: {self.running} of {self.desired} running, {self.pending} pending,"
            f" {self.failed} failed"
        )


class RolloutError(OutpostError):
    """The deployment did not become the running one. `deployment` is its last state that was seen."""

    def __init__(self, message: str, deployment: Deployment) -> None:
        super().__init__(
            "rollout-failed", message, remedy="The stopped tasks say why; ./inv diagnose says more."
        )
        self.deployment = deployment


def described(ecs: Any, names: Names) -> Mapping[str, Any]:
    """The service; raises `OutpostError` (`no-service`) when there is none that is active."""
    try:
        found = ecs.describe_services(cluster=names.cluster, services=[SERVICE])["services"]
    except ecs.exceptions.ClusterNotFoundException:
        found = []
    service: Mapping[str, Any]
    for service in found:
        if service["status"] == "ACTIVE":
            return service
    raise OutpostError(
        "no-service",
        f"There is no active service {SERVICE} in the cluster {names.cluster}.",
        remedy="Deploy the stack first: ./inv deploy.",
    )


def deployments(ecs: Any, names: Names) -> list[Deployment]:
    """The service's deployments, the newest first."""
    found = map(Deployment.of, described(ecs, names)["deployments"])
    return sorted(found, key=lambda deployment: deployment.status != "PRIMARY")


def follow(
    ecs: Any,
    names: Names,
    deployment: Deployment,
    say: Say,
    *,
    timeout: float = TIMEOUT,
    poll: float = POLL,
) -> Deployment:
    """Waits until all tasks are of this deployment. Raises `RolloutError` when they are not going to be."""
    until = time.monotonic() + timeout
    while True:
        found = deployments(ecs, names)
        seen = next((each for each in found if each.id == deployment.id), None)
        if seen is None or seen.status != "PRIMARY":
            raise RolloutError(
                f"It was replaced by {found[0].revision}: {found[0].reason}".rstrip(": "), deployment
            )
        if seen.state == "FAILED":
            raise RolloutError(seen.reason or "ECS gave the deployment up.", seen)
        if seen.progress() != deployment.progress():
            say(seen.progress())
        deployment = seen
        if seen.state == "COMPLETED" or (not seen.state and len(found) == 1 and seen.running >= seen.desired):
            return seen
        if time.monotonic() > until:
            raise RolloutError(f"It had not ended after {timeout:.0f} s ({seen.progress()}).", seen)
        time.sleep(poll)
