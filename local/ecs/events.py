"""ECS's events, as EventBridge carries them.

Shapes: Amazon ECS developer guide, "Amazon ECS task state change events" and the two pages after it.
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

from local.aws.moto_app import ACCOUNT, REGION
from local.ecs.model import Task, now


def task_state_change(task: Task) -> dict[str, Any]:
    """The event of a task's new state; `detail.version` orders the events of one task."""
    detail = task.render()
    detail.pop("tags")
    detail.pop("healthStatus")
    for container in detail["containers"]:
        container.pop("healthStatus")
    for container in detail["overrides"]["containerOverrides"]:
        # The event names the variables that were overridden, but not all of RunTask's request.
        container.setdefault("environment", [])
    detail["attachments"] = [
        {**attachment, "type": "eni", "status": attachment["status"]} for attachment in detail["attachments"]
    ]
    detail["updatedAt"] = now()
    return envelope("ECS Task State Change", [task.arn], detail)


def service_action(
    service_arn: str, cluster_arn: str, name: str, kind: str, **further: Any
) -> dict[str, Any]:
    """A service action event; `kind` is INFO, WARN or ERROR."""
    detail = {"eventType": kind, "eventName": name, "clusterArn": cluster_arn, "createdAt": now(), **further}
    return envelope("ECS Service Action", [service_arn], detail)


def deployment_state_change(
    service_arn: str, deployment_id: str, name: str, kind: str, reason: str
) -> dict[str, Any]:
    """A deployment's event: SERVICE_DEPLOYMENT_IN_PROGRESS, _COMPLETED or _FAILED."""
    detail = {
        "eventType": kind,
        "eventName": name,
        "deploymentId": deployment_id,
        "updatedAt": now(),
        "reason": reason,
    }
    return envelope("ECS Deployment State Change", [service_arn], detail)


def envelope(detail_type: str, resources: list[str], detail: dict[str, Any]) -> dict[str, Any]:
    """An event from ECS as a rule sees it; times are ISO 8601."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": detail_type,
        "source": "aws.ecs",
        "account": ACCOUNT,
        "time": now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": resources,
        "detail": _plain(detail),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value
