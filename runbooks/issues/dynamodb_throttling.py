"""DynamoDB throttling: requests are refused for want of capacity."""

from __future__ import annotations

from collections import Counter

from runbooks.alarms import MetricAlarm
from runbooks.definitions import deploy, with_environment
from runbooks.issues.slow_responses import BUSY, consumed
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, warn
from runbooks.observations import Region
from runbooks.observations.tables import provisioned
from runbooks.remedies import Action, Call, Plan

RUNBOOK = Runbook(
    issue="dynamodb-throttling",
    title="DynamoDB throttling",
    section="AWS infrastructure",
    symptoms=("Intermittent 500 errors", "CloudWatch shows ThrottledRequests"),
    alarm=MetricAlarm(
        namespace="AWS/DynamoDB",
        metric="ThrottledRequests",
        statistic="Sum",
        threshold=1,
        evaluation_periods=2,
        dimensions=(("TableName", "{jobs_table}"),),
    ),
    severity=Severity.DEGRADED,
)

EFFECTS = ("slow-responses/dynamodb-throttled",)
DIMENSIONS = {"dynamodb:table:ReadCapacityUnits": "Read", "dynamodb:table:WriteCapacityUnits": "Write"}
TARGET_UTILIZATION = 70.0  # percent; DynamoDB's own default for auto scaling
HEADROOM = 10  # times the present capacity that scaling may reach
PARTITION_WRITES = 1000  # write units per second of one partition, whatever the table has
HOT_SHARE, HOT_JOBS = 0.5, 20  # one tenant's share of the recent jobs, and how many make it telling
BACKING_OFF = ("standard", "adaptive")  # boto's retry modes with exponential backoff and jitter


def _throttled(region: Region) -> list[Evidence]:
    throttles = region.metrics.throttles()
    if not throttles:
        return []
    return [Evidence("cloudwatch:GetMetricData", region.names.jobs_table, f"{throttles:g} throttled", "0")]


def _scale(region: Region) -> Plan | None:
    """Auto scaling for reads and writes, from the present capacity up."""
    name = region.names.jobs_table
    given = region.tables.jobs()["ProvisionedThroughput"]
    scaled = region.tables.scalable_dimensions(name)
    actions = []
    for dimension, kind in DIMENSIONS.items():
        if dimension in scaled:
            continue
        units = int(given[f"{kind}CapacityUnits"])
        which = {
            "ServiceNamespace": "dynamodb",
            "ResourceId": f"table/{name}",
            "ScalableDimension": dimension,
        }
        register = which | {"MinCapacity": units, "MaxCapacity": units * HEADROOM}
        policy = which | {
            "PolicyName": f"{name}-{kind.lower()}",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": TARGET_UTILIZATION,
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": f"DynamoDB{kind}CapacityUtilization"
                },
            },
        }
        actions += [
            Action(
                Call("application-autoscaling:RegisterScalableTarget", register),
                Call("application-autoscaling:DeregisterScalableTarget", which),
            ),
            # Goes with its target when that is deregistered.
            Action(
                Call("application-autoscaling:PutScalingPolicy", policy),
                Call(
                    "application-autoscaling:DeleteScalingPolicy",
                    which | {"PolicyName": policy["PolicyName"]},
                ),
            ),
        ]
    return Plan(actions=tuple(actions)) if actions else None


@RUNBOOK.cause(
    "autoscaling-off",
    guide="Auto-scaling off",
    solution="Enable DynamoDB auto-scaling.",
    explains=EFFECTS,
    remedy=_scale,
)
def autoscaling_off(region: Region) -> Judgement:
    """The jobs table has provisioned capacity that does not scale."""
    table, name = region.tables.jobs(), region.names.jobs_table
    if not provisioned(table):
        return ok(f"{name} is on demand, which needs no scaling")
    scaled = region.tables.scalable_dimensions(name)
    fixed = [kind for dimension, kind in DIMENSIONS.items() if dimension not in scaled]
    if not fixed:
        return ok(f"reads and writes of {name} scale by themselves")
    given = table["ProvisionedThroughput"]
    evidence = [
        Evidence(
            "application-autoscaling:DescribeScalableTargets",
            f"table/{name}",
            f"{kind.lower()}s fixed at {given[f'{kind}CapacityUnits']} units/s",
            "a scalable target",
        )
        for kind in fixed
    ]
    throttled = _throttled(region)
    summary = f"{name} is provisioned, and its {' and '.join(kind.lower() for kind in fixed)}s do not scale"
    return fail(summary, *throttled, *evidence) if throttled else warn(summary, *evidence)


def _load(region: Region) -> str:
    reads, writes = consumed(region)
    return f"{reads:.1f} reads/s and {writes:.1f} writes/s at the peak"


def _hot_tenant(region: Region) -> tuple[str, float]:
    """The tenant with most of the recent jobs, and its share; ("", 0) when there are too few to tell."""
    jobs = region.dispatches.recent()
    if len(jobs) < HOT_JOBS:
        return "", 0.0
    tenant, count = Counter(job.tenant for job in jobs).most_common(1)[0]
    return tenant, count / len(jobs)


def _below_capacity(region: Region) -> bool:
    """Throttled although the table as a whole is not used up: a partition must be."""
    table = region.tables.jobs()
    reads, writes = consumed(region)
    if not provisioned(table):
        return writes < PARTITION_WRITES
    given = table["ProvisionedThroughput"]
    return bool(
        reads < BUSY * float(given["ReadCapacityUnits"])
        and writes < BUSY * float(given["WriteCapacityUnits"])
    )


@RUNBOOK.cause(
    "capacity-mode",
    guide="Capacity mode does not fit the load",
    solution="Switch from PAY_PER_REQUEST to provisioned capacity.",
    explains=EFFECTS,
)
def capacity_mode(region: Region) -> Judgement:
    """The table's capacity mode does not fit its load."""
    throttled = _throttled(region)
    mode = "provisioned" if provisioned(region.tables.jobs()) else "on demand"
    if not throttled:
        return ok(f"nothing was throttled; {mode}, {_load(region)}")
    if mode == "provisioned":
        return ok(f"the table is provisioned already; {_load(region)}")
    _, share = _hot_tenant(region)
    if share > HOT_SHARE and _below_capacity(region):
        return ok(f"throttled on demand at {_load(region)}, because one tenant's partition is hot")
    return fail(
        f"on demand, and throttled at {_load(region)}",
        *throttled,
        Evidence(
            "dynamodb:DescribeTable", region.names.jobs_table, "PAY_PER_REQUEST", "provisioned for the peak"
        ),
        Evidence(
            "cloudwatch:GetMetricData", "consumed capacity", _load(region), "a steady load on demand absorbs"
        ),
    )


def _back_off(region: Region) -> Plan | None:
    definition = region.containers.definition()
    settings = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "5"}
    return deploy(region, with_environment(definition, settings))


@RUNBOOK.cause(
    "retries-without-backoff",
    guide="No backoff in the application",
    solution="Add exponential backoff in application.",
    remedy=_back_off,
)
def retries_without_backoff(region: Region) -> Judgement:
    """The control plane's AWS client does not retry with backoff."""
    definition = region.containers.definition()
    mode = definition.environment.get("AWS_RETRY_MODE", "")
    attempts = definition.environment.get("AWS_MAX_ATTEMPTS", "")
    evidence = []
    if mode and mode not in BACKING_OFF:
        expected = " or ".join(BACKING_OFF)
        evidence.append(
            Evidence("ecs:DescribeTaskDefinition", definition.name, f"AWS_RETRY_MODE={mode}", expected)
        )
    if attempts.isdigit() and int(attempts) <= 1:
        saw = f"AWS_MAX_ATTEMPTS={attempts}"
        evidence.append(Evidence("ecs:DescribeTaskDefinition", definition.name, saw, "more than one attempt"))
    if not evidence:
        return ok(f"retries back off exponentially ({mode or 'standard'}, {attempts or 'default'} attempts)")
    throttled = _throttled(region)
    summary = f"{definition.name}: {evidence[0].saw}"
    return fail(summary, *evidence, *throttled) if throttled else warn(summary, *evidence)


@RUNBOOK.cause(
    "hot-partition",
    guide="Hot partitions",
    solution="Review access patterns for hot partitions.",
    explains=(*EFFECTS, "dynamodb-throttling/capacity-mode"),
)
def hot_partition(region: Region) -> Judgement:
    """One tenant's partition takes most of the writes, and is throttled."""
    throttled = _throttled(region)
    if not throttled:
        return ok("nothing was throttled")
    tenant, share = _hot_tenant(region)
    if share <= HOT_SHARE:
        return ok(f"the recent jobs are spread: the largest tenant has {share:.0%} of them")
    if not _below_capacity(region):
        return ok(f"the table as a whole is used up: {_load(region)}")
    return fail(
        f"throttled at {_load(region)}, with {share:.0%} of the recent jobs under tenant {tenant}",
        *throttled,
        Evidence(
            "dynamodb:Query", f"tenant {tenant}", f"{share:.0%} of the recent jobs", f"below {HOT_SHARE:.0%}"
        ),
    )
