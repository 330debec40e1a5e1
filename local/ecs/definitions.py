"""Clusters and task definitions, read from moto."""

import copy
from typing import Any

from local.aws.errors import AwsError
from local.aws.moto_app import backend
from local.ecs.model import ARN


def cluster_name(reference: str | None) -> str:
    """The name of an existing cluster. Raises `AwsError` (ClusterNotFoundException)."""
    name = (reference or "default").rsplit("/", 1)[-1]
    if name not in backend("ecs").clusters:
        raise AwsError("ClusterNotFoundException", "Cluster not found.")
    return name


def task_definition(reference: str) -> dict[str, Any]:
    """An ACTIVE task definition by ARN, `family:revision` or family (its latest active revision).

    Raises `AwsError` as RunTask does when there is none.
    """
    name = reference.rsplit("/", 1)[-1]
    family, _, revision = name.partition(":")
    revisions = backend("ecs").task_definitions.get(family, {})
    if revision:
        found = revisions.get(int(revision)) if revision.isdigit() else None
    else:
        active = [number for number, entry in revisions.items() if entry.status == "ACTIVE"]
        found = revisions[max(active)] if active else None
    if found is None:
        raise AwsError("ClientException", "TaskDefinition not found.")
    if found.status != "ACTIVE":
        raise AwsError("ClientException", "TaskDefinition is inactive")
    return describe(found)


def describe(entry: Any) -> dict[str, Any]:
    """moto's task definition as a plain dictionary in ECS's spelling, a copy."""
    return {
        "taskDefinitionArn": f"{ARN}:task-definition/{entry.family}:{entry.revision}",
        "family": entry.family,
        "revision": entry.revision,
        "containerDefinitions": copy.deepcopy(entry.container_definitions),
        "cpu": entry.cpu,
        "memory": entry.memory,
        "networkMode": entry.network_mode,
        "taskRoleArn": getattr(entry, "task_role_arn", None) or "",
        "executionRoleArn": getattr(entry, "execution_role_arn", None) or "",
        "volumes": copy.deepcopy(entry.volumes or []),
        "ephemeralStorage": copy.deepcopy(entry.ephemeral_storage),
        "requiresCompatibilities": entry.requires_compatibilities or [],
        "tags": {tag["key"]: tag["value"] for tag in entry.tags or []},
    }
