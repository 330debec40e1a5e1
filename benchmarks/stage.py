"""What benchmarks set up in a local region: keys of tenants, repositories, settings of the control plane."""

import json
import subprocess
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.testing import LocalRegion
from outpost.api_keys import PREFIX_LENGTH, Scope, key_hash, new_key
from outpost.names import CONTROL_PLANE_FAMILY, SERVICE, Names

SETTLED_WITHIN = 120.0  # seconds for a roll-out in the local region
# What DescribeTaskDefinition answers that RegisterTaskDefinition takes.
_REGISTERED = (
    *("family", "taskRoleArn", "executionRoleArn", "networkMode", "containerDefinitions", "cpu", "memory"),
    *("requiresCompatibilities", "volumes", "runtimePlatform"),
)


def tenant_key(region: LocalRegion, tenant: str) -> str:
    """A key of a tenant with all scopes, put into the table as an operator does."""
    key = new_key()
    region.client("dynamodb").put_item(
        TableName=Names(region.stack).api_keys_table,
        Item={
            "apiKeyId": {"S": f"key-{tenant}"},
            "tenantId": {"S": tenant},
            "name": {"S": "benchmark"},
            "keyHash": {"S": key_hash(key)},
            "keyPrefix": {"S": key[:PREFIX_LENGTH]},
            "scopes": {"SS": [Scope.ADMIN.value]},
            "status": {"S": "active"},
            "createdAt": {"S": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")},
        },
    )
    return key


def repository(directory: Path, files: int = 1) -> Path:
    """A git repository with so many files in one commit on main."""
    directory.mkdir(parents=True)
    for number in range(files):
        (directory / f"file-{number}.txt").write_text(f"{number}\n" * 20)
    git = ["git", "-c", "user.name=Benchmark", "-c", "user.email=benchmark@localhost"]
    for command in (["init", "-q", "-b", "main", "."], ["add", "."], ["commit", "-q", "-m", "Start"]):
        subprocess.run([*git, *command], cwd=directory, check=True)
    return directory


def reconfigure(region: LocalRegion, *, replicas: int = 1, **environment: str) -> None:
    """Give the control plane these variables and so many replicas, and wait until the roll-out is done."""
    ecs, names = region.client("ecs"), Names(region.stack)
    definition = ecs.describe_task_definition(taskDefinition=CONTROL_PLANE_FAMILY)["taskDefinition"]
    container = definition["containerDefinitions"][0]
    kept = [each for each in container["environment"] if each["name"] not in environment]
    container["environment"] = kept + [{"name": name, "value": value} for name, value in environment.items()]
    new = ecs.register_task_definition(
        **{name: definition[name] for name in _REGISTERED if definition.get(name)}
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster=names.cluster, service=SERVICE, taskDefinition=new, desiredCount=replicas)

    def settled() -> bool:
        (service,) = ecs.describe_services(cluster=names.cluster, services=[SERVICE])["services"]
        return len(service["deployments"]) == 1 and service["runningCount"] == replicas

    region.wait_for(settled, SETTLED_WITHIN, f"{replicas} replicas of the new revision")


def idle_workers(region: LocalRegion, agent: str) -> int:
    """How many workers of the warm pool have asked for a dispatch and have none."""
    answer = region.client("dynamodb").query(
        TableName=Names(region.stack).jobs_table,
        KeyConditionExpression="tenantId = :pool",
        ExpressionAttributeValues={":pool": {"S": f"#pool#{agent}"}},
        ConsistentRead=True,
    )
    return sum(
        "seenAt" in slot and "leasedTo" not in slot and "stoppedAt" not in slot for slot in answer["Items"]
    )


def call(region: LocalRegion, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One request with the region's own key. Raises `HTTPError` for anything but a success."""
    request = urllib.request.Request(
        region.api_url + path,
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"X-API-Key": region.api_key, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=15) as answer:
        return dict(json.loads(answer.read()))
