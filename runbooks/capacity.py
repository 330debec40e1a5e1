"""Plans that change the capacity of a table: scaling, provisioned units, an on-demand maximum."""

from __future__ import annotations

import math
from typing import Any

from runbooks.looking import Answer
from runbooks.remedies import Action, Call, Plan

# What scales of a table, and how DynamoDB's other names call it.
DIMENSIONS = {"dynamodb:table:ReadCapacityUnits": "Read", "dynamodb:table:WriteCapacityUnits": "Write"}
TARGET_UTILIZATION = 70.0  # percent; DynamoDB's own default for auto scaling
LEAST_UNITS = 5  # per second, of a table that is provisioned anew
HEADROOM = 10  # times the present capacity that scaling may reach
MONTH = 730  # hours, as AWS's own calculator counts it
MEASURED = 300  # seconds until CloudWatch shows whether a table still throttles
UNLIMITED = {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1}


def scale(table: str, dimension: str, units: int) -> list[Action]:
    """Calls that let a table's reads or writes follow the load, from so many units per second up."""
    kind = DIMENSIONS[dimension]
    which = {"ServiceNamespace": "dynamodb", "ResourceId": f"table/{table}", "ScalableDimension": dimension}
    named = which | {"PolicyName": f"{table}-{kind.lower()}"}
    register = which | {"MinCapacity": units, "MaxCapacity": units * HEADROOM}
    policy = named | {
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": TARGET_UTILIZATION,
            "PredefinedMetricSpecification": {"PredefinedMetricType": f"DynamoDB{kind}CapacityUtilization"},
        },
    }
    return [
        Action(
            Call("application-autoscaling:RegisterScalableTarget", register),
            Call("application-autoscaling:DeregisterScalableTarget", which),
        ),
        Action(
            Call("application-autoscaling:PutScalingPolicy", policy),
            Call("application-autoscaling:DeleteScalingPolicy", named),
        ),
    ]


def lift_maximum(name: str, table: Answer) -> Plan:
    """An on-demand table without a maximum of its own."""
    which = {"TableName": name}
    before = dict(table.get("OnDemandThroughput") or UNLIMITED)
    action = Action(
        Call("dynamodb:UpdateTable", which | {"OnDemandThroughput": UNLIMITED}),
        Call("dynamodb:UpdateTable", which | {"OnDemandThroughput": before}),
    )
    bill = "Without its maximum the table is billed for every request, however many are made."
    return Plan(actions=(action,), settle=MEASURED, bill=bill)


def units_for(peak: tuple[float, float]) -> tuple[int, int]:
    """Reads and writes per second to provision, of which a peak then uses `TARGET_UTILIZATION`."""
    reads, writes = (max(LEAST_UNITS, math.ceil(rate * 100 / TARGET_UTILIZATION)) for rate in peak)
    return reads, writes


def provision(name: str, table: Answer, peak: tuple[float, float]) -> Plan:
    """A table and its indexes provisioned for a peak (reads, writes per second), and scaled from there."""
    units = units_for(peak)
    throughput = {"ReadCapacityUnits": units[0], "WriteCapacityUnits": units[1]}
    update: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": throughput,
    }
    indexes = [index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])]
    if indexes:
        update["GlobalSecondaryIndexUpdates"] = [
            {"Update": {"IndexName": index, "ProvisionedThroughput": throughput}} for index in indexes
        ]
    back = Call("dynamodb:UpdateTable", {"TableName": name, "BillingMode": "PAY_PER_REQUEST"})
    actions = [Action(Call("dynamodb:UpdateTable", update), back)]
    for dimension, least in zip(DIMENSIONS, units, strict=True):
        actions += scale(name, dimension, least)
    bill = (
        "Provisioned capacity is billed by the hour, whether used or not: "
        f"{_unit_hours(*(unit * (1 + len(indexes)) for unit in units))}, for the table"
        + (f" and its {len(indexes)} index(es)" if indexes else "")
        + f". Scaling may raise the table's part to {HEADROOM} times that. Its requests are then no longer "
        "billed by themselves. ./inv cost prices a stack whose tableCapacity is provisioned."
    )
    return Plan(actions=tuple(actions), settle=MEASURED, bill=bill)


def may_scale(reads: int, writes: int) -> str:
    """What it may cost that a table scales from so many units per second up; 0 where it scales already."""
    return (
        "Provisioned capacity is billed by the hour, whether used or not; what scales now costs "
        f"{_unit_hours(reads, writes)}, and may be raised to {HEADROOM} times that."
    )


def _unit_hours(reads: int, writes: int) -> str:
    """Units per second that are held for a month, as AWS bills them."""
    return " and ".join(
        f"{units:,} {kind} units ({units * MONTH:,} unit-hours a month)"
        for units, kind in ((reads, "read"), (writes, "write"))
        if units
    )
