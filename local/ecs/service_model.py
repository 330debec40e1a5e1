"""A service and its deployments, as DescribeServices shows them."""

import random
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from local.ecs.model import ARN, PLATFORM_VERSION, now

KEPT_EVENTS = 100  # DescribeServices shows the latest hundred


def _deployment_id() -> str:
    return f"ecs-svc/{random.randrange(10**18, 10**19)}"  # noqa: S311 - an id, not a secret


@dataclass
class Deployment:
    """One roll-out of a task definition. `tries` counts failures in a row, for the back-off."""

    definition: dict[str, Any]
    id: str = field(default_factory=_deployment_id)
    status: str = "PRIMARY"
    rollout_state: str = "IN_PROGRESS"
    rollout_reason: str = ""
    failed_tasks: int = 0
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    tries: int = 0
    not_before: float = 0.0  # monotonic time of the next start after failures

    def __post_init__(self) -> None:
        self.rollout_reason = self.rollout_reason or f"ECS deployment {self.id} in progress."

    def change(self, state: str, reason: str) -> None:
        self.rollout_state, self.rollout_reason, self.updated_at = state, reason, now()


@dataclass
class Service:
    """A Fargate service with rolling deployments. `settings` holds CreateService's own parameters."""

    name: str
    cluster: str
    desired: int
    settings: dict[str, Any]
    deployments: list[Deployment]
    tags: dict[str, str]
    status: str = "ACTIVE"
    created_at: datetime = field(default_factory=now)
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    steady: bool = False
    last_completed: dict[str, Any] | None = None  # definition of the last deployment that completed

    @property
    def arn(self) -> str:
        return f"{ARN}:service/{self.cluster}/{self.name}"

    @property
    def cluster_arn(self) -> str:
        return f"{ARN}:cluster/{self.cluster}"

    @property
    def primary(self) -> Deployment:
        return self.deployments[0]

    @property
    def load_balancers(self) -> list[dict[str, Any]]:
        return list(self.settings.get("loadBalancers") or [])

    @property
    def grace(self) -> float:
        return float(self.settings.get("healthCheckGracePeriodSeconds") or 0)

    def _percent(self, name: str, default: int) -> int:
        configuration = self.settings.get("deploymentConfiguration") or {}
        value = configuration.get(name)
        return default if value is None else int(value)

    @property
    def most(self) -> int:
        """The most tasks that a deployment may have at a time."""
        return max(self.desired * self._percent("maximumPercent", 200) // 100, self.desired)

    @property
    def least(self) -> int:
        """The fewest healthy tasks that a deployment must keep."""
        return -(-self.desired * self._percent("minimumHealthyPercent", 100) // 100)

    @property
    def breaker(self) -> tuple[bool, bool]:
        """Whether the circuit breaker is on, and whether it rolls back."""
        configuration = (self.settings.get("deploymentConfiguration") or {}).get(
            "deploymentCircuitBreaker"
        ) or {}
        return bool(configuration.get("enable")), bool(configuration.get("rollback"))

    def say(self, message: str) -> None:
        """Add a service event, unless it repeats the last one."""
        text = f"(service {self.name}) {message}"
        if not self.events or self.events[0]["message"] != text:
            self.events.appendleft({"id": str(uuid4()), "createdAt": now(), "message": text})

    def render(self, counts: dict[str, tuple[int, int]], *, tags: bool) -> dict[str, Any]:
        """`counts`: running and pending tasks by deployment id."""
        return {
            "serviceArn": self.arn,
            "serviceName": self.name,
            "clusterArn": self.cluster_arn,
            "loadBalancers": self.load_balancers,
            "serviceRegistries": self.settings.get("serviceRegistries") or [],
            "status": self.status,
            "desiredCount": self.desired,
            "runningCount": sum(running for running, _ in counts.values()),
            "pendingCount": sum(pending for _, pending in counts.values()),
            "platformVersion": self.settings.get("platformVersion") or "LATEST",
            "platformFamily": "Linux",
            "taskDefinition": self.primary.definition["taskDefinitionArn"],
            "deploymentConfiguration": {
                "deploymentCircuitBreaker": {"enable": False, "rollback": False},
                "maximumPercent": self._percent("maximumPercent", 200),
                "minimumHealthyPercent": self._percent("minimumHealthyPercent", 100),
                **(self.settings.get("deploymentConfiguration") or {}),
            },
            "deployments": [
                self._deployment(each, *counts.get(each.id, (0, 0))) for each in self.deployments
            ],
            "events": list(self.events),
            "createdAt": self.created_at,
            "placementConstraints": [],
            "placementStrategy": [],
            "networkConfiguration": self.settings.get("networkConfiguration") or {},
            "healthCheckGracePeriodSeconds": int(self.grace),
            "schedulingStrategy": "REPLICA",
            "deploymentController": self.settings.get("deploymentController") or {"type": "ECS"},
            "enableECSManagedTags": bool(self.settings.get("enableECSManagedTags")),
            "propagateTags": self.settings.get("propagateTags") or "NONE",
            "enableExecuteCommand": bool(self.settings.get("enableExecuteCommand")),
            "availabilityZoneRebalancing": self.settings.get("availabilityZoneRebalancing") or "DISABLED",
            "tags": [{"key": k, "value": v} for k, v in self.tags.items()] if tags else [],
            **self._launch(),
        }

    def _launch(self) -> dict[str, Any]:
        strategy = self.settings.get("capacityProviderStrategy")
        return {"capacityProviderStrategy": strategy} if strategy else {"launchType": "FARGATE"}

    def _deployment(self, deployment: Deployment, running: int, pending: int) -> dict[str, Any]:
        primary = deployment is self.primary
        return {
            "id": deployment.id,
            "status": deployment.status,
            "taskDefinition": deployment.definition["taskDefinitionArn"],
            "desiredCount": self.desired if primary else 0,
            "pendingCount": pending,
            "runningCount": running,
            "failedTasks": deployment.failed_tasks,
            "createdAt": deployment.created_at,
            "updatedAt": deployment.updated_at,
            "platformVersion": PLATFORM_VERSION,
            "platformFamily": "Linux",
            "networkConfiguration": self.settings.get("networkConfiguration") or {},
            "rolloutState": deployment.rollout_state,
            "rolloutStateReason": deployment.rollout_reason,
            **self._launch(),
        }
