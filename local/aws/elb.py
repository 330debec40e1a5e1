"""DescribeTargetHealth with the health that the load balancer has seen; moto calls every target healthy."""

from collections.abc import Callable
from typing import Any

from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup

from local.ecs.scheduler import Health


def install(health_of: Callable[[str, str], Health]) -> None:
    """`health_of` gives a target's health by target group ARN and address."""

    def health_for(group: Any, target: dict[str, Any], ec2: Any) -> FakeHealthStatus:
        known = group.targets.get(target["Id"])
        port = (known or target).get("Port", group.port)
        health = health_of(group.arn, target["Id"])
        return FakeHealthStatus(
            target["Id"],
            port,
            str(port),
            health.state,
            health.reason or None,
            health.description or None,
        )

    FakeTargetGroup.health_for = health_for
