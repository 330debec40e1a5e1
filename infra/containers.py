"""Container definitions: what the control plane's and the agents' containers have in common."""

from collections.abc import Mapping
from typing import Any

from pulumi import Input, Output

# Written as AWS gives it back, in one order, so that a second run sees no change.
ContainerDefinition = dict[str, Any]


def container(
    *,
    name: str,
    image: Input[str],
    log_group: Input[str],
    region: str,
    stop_timeout: int,
    environment: Mapping[str, Input[str]],
    secrets: Mapping[str, Input[str]],
    **more: object,
) -> ContainerDefinition:
    """An essential container that logs to CloudWatch, without Linux capabilities.

    `stop_timeout` is in seconds, 120 at most on Fargate. The log's streams are `NAME/NAME/TASK_ID`.
    """
    return {
        "name": name,
        "image": image,
        "essential": True,
        "stopTimeout": stop_timeout,
        "environment": [{"name": key, "value": environment[key]} for key in sorted(environment)],
        "secrets": [{"name": key, "valueFrom": secrets[key]} for key in sorted(secrets)],
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log_group,
                "awslogs-region": region,
                "awslogs-stream-prefix": name,
            },
        },
        **more,
    }


def definitions(only: ContainerDefinition) -> Output[str]:
    """A task definition's containers as JSON."""
    return Output.json_dumps([only], sort_keys=True)
