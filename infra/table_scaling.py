"""Auto-scaling of provisioned tables: each table and index, reads and writes."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import Output, ResourceOptions

TARGET = 70  # percent of the provisioned capacity that is used; the rest absorbs a minute's growth


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """Provisioned units per second, of reads and of writes each."""

    minimum: int
    maximum: int


def scale(
    name: str, table: aws.dynamodb.Table, indexes: Sequence[str], capacity: Capacity, opts: ResourceOptions
) -> None:
    """Let DynamoDB's capacity follow the load, for the table and each of its indexes."""
    places = [("", "table", Output.concat("table/", table.name))]
    places += [
        (f"-{index}", "index", Output.concat("table/", table.name, "/index/", index)) for index in indexes
    ]
    for suffix, kind, resource_id in places:
        for unit in ("Read", "Write"):
            _scale_one(f"{name}{suffix}-{unit.lower()}", resource_id, kind, unit, capacity, opts)


def _scale_one(
    name: str, resource_id: Output[str], kind: str, unit: str, capacity: Capacity, opts: ResourceOptions
) -> None:
    target = aws.appautoscaling.Target(
        name,
        service_namespace="dynamodb",
        scalable_dimension=f"dynamodb:{kind}:{unit}CapacityUnits",
        resource_id=resource_id,
        min_capacity=capacity.minimum,
        max_capacity=capacity.maximum,
        opts=opts,
    )
    aws.appautoscaling.Policy(
        name,
        name=f"{name}-utilization",
        policy_type="TargetTrackingScaling",
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        resource_id=target.resource_id,
        target_tracking_scaling_policy_configuration=aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
            target_value=TARGET,
            predefined_metric_specification=aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs(
                predefined_metric_type=f"DynamoDB{unit}CapacityUtilization"
            ),
        ),
        opts=opts,
    )
