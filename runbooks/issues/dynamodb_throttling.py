"""DynamoDB throttling: requests are refused for want of capacity."""

from __future__ import annotations

import math
from collections import Counter

from runbooks.alarms import MetricAlarm
from runbooks.capacity import DIMENSIONS, lift_maximum, may_scale, provision, scale
from runbooks.definitions import deploy, with_environment
from runbooks.issues.slow_responses import BUSY, consumed
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, warn
from runbooks.observations import Region
from runbooks.observations.tables import provisioned
from runbooks.remedies import Plan
from runbooks.throttling import fitting, throttling

RUNBOOK = Runbook(
    issue="dynamodb-throttling",
    title="DynamoDB throttling",
    section="AWS infrastructure",
    symptoms=("Intermittent 500 errors", "CloudWatch shows ThrottledRequests"),
    alarm=MetricAlarm(
        namespace="AWS/DynamoDB",
        # ThrottledRequests, the guide's, is reported for each operation; the events are for the table.
        metric="WriteThrottleEvents",
        plus=("ReadThrottleEvents",),
        statistic="Sum",
        threshold=1,
        evaluation_periods=2,
        dimensions=(("TableName", "{jobs_table}"),),
    ),
    severity=Severity.DEGRADED,
)

EFFECTS = ("slow-responses/dynamodb-throttled",)
PARTITION_WRITES = 1000  # write units per second of one partition, whatever the table has
HOT_SHARE, HOT_JOBS = 0.5, 20  # one tenant's share of the recent jobs, and how many make it telling
BACKING_OFF = ("standard", "adaptive")  # boto's retry modes with exponential backoff and jitter


def _scale(region: Region) -> Plan | None:
    """Auto scaling for reads and writes, from the present capacity up."""
    name = region.names.jobs_table
    given = region.tables.jobs()["ProvisionedThroughput"]
    scaled = region.tables.scaling(name)
    units = {
        dimension: 0 if dimension in scaled else int(given[f"{kind}CapacityUnits"])
        for dimension, kind in DIMENSIONS.items()
    }
    actions = [
        action for dimension, least in units.items() if least for action in scale(name, dimension, least)
    ]
    return Plan(actions=tuple(actions), bill=may_scale(*units.values())) if actions else None


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
    scaled = region.tables.scaling(name)
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
    throttled = throttling(region)
    summary = f"{name} is provisioned, and its {' and '.join(kind.lower() for kind in fixed)}s do not scale"
    return (fail if throttled.total else warn)(summary, *evidence, *throttled.evidence(name))


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


def _capacity(region: Region) -> tuple[float, float]:
    """Reads and writes per second that the jobs table can reach by its settings; infinite on demand."""
    table = region.tables.jobs()
    if not provisioned(table):
        caps = table.get("OnDemandThroughput") or {}
        limits = (float(caps.get(f"Max{kind}RequestUnits") or -1) for kind in ("Read", "Write"))
        reads, writes = (limit if limit > 0 else math.inf for limit in limits)
        return reads, writes
    given, scaled = table["ProvisionedThroughput"], region.tables.scaling(region.names.jobs_table)
    reads, writes = (
        float(scaled[dimension]["MaxCapacity"] if dimension in scaled else given[f"{kind}CapacityUnits"])
        for dimension, kind in DIMENSIONS.items()
    )
    return reads, writes


def _hot_by_inference(region: Region) -> bool:
    """Throttled although the table as a whole is not used up, and one tenant has most of the jobs."""
    reads, writes = consumed(region)
    capacity = _capacity(region)
    below = reads < BUSY * capacity[0] and writes < min(BUSY * capacity[1], PARTITION_WRITES)
    return below and _hot_tenant(region)[1] > HOT_SHARE and not throttling(region).capped


def _raise_capacity(region: Region) -> Plan | None:
    """A higher maximum where the table has one, or else provisioned for the peak."""
    name, table = region.names.jobs_table, region.tables.jobs()
    if provisioned(table):
        return None
    return (
        lift_maximum(name, table) if throttling(region).capped else provision(name, table, consumed(region))
    )


@RUNBOOK.cause(
    "capacity-mode",
    guide="Capacity mode does not fit the load",
    solution="Switch from PAY_PER_REQUEST to provisioned capacity, or raise the maximum that throttles.",
    explains=EFFECTS,
    remedy=_raise_capacity,
)
def capacity_mode(region: Region) -> Judgement:
    """The table's capacity mode does not fit its load."""
    table, name = region.tables.jobs(), region.names.jobs_table
    throttled, load = throttling(region), _load(region)
    reads, writes = _capacity(region)
    if throttled.too_early:
        return throttled.undecided()
    if not throttled.total:
        mode = "provisioned" if provisioned(table) else "on demand"
        return ok(f"nothing was throttled; {mode}, {load}", *throttled.left_out)
    seen = throttled.evidence(name)
    if provisioned(table):
        return ok(f"provisioned already: {load}, of {reads:g} and {writes:g}; slow-responses tells it", *seen)
    capped = throttled.capped
    if capped:
        return fail(
            f"on demand, at most {reads:g} reads/s and {writes:g} writes/s: {capped:g} throttled",
            Evidence("cloudwatch:GetMetricData", "MaxOnDemandThroughputThrottleEvents", f"{capped:g}", "0"),
            Evidence(
                "dynamodb:DescribeTable", name, f"at most {reads:g} and {writes:g} units/s", f"above {load}"
            ),
            *throttled.left_out,
        )
    if throttled.hot or _hot_by_inference(region):
        return ok(f"throttled on demand at {load}, for one partition's sake: hot-partition tells it", *seen)
    return fail(
        f"on demand, and throttled at {load}",
        *seen,
        Evidence("dynamodb:DescribeTable", name, "PAY_PER_REQUEST", fitting(region, consumed(region))),
        Evidence("cloudwatch:GetMetricData", "consumed capacity", load, "a load that doubles slowly"),
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
    throttled = throttling(region)
    summary = f"{definition.name}: {evidence[0].saw}"
    seen = throttled.evidence(region.names.jobs_table)
    return (fail if throttled.total else warn)(summary, *evidence, *seen)


@RUNBOOK.cause(
    "hot-partition",
    guide="Hot partitions",
    solution="Review access patterns for hot partitions.",
    explains=EFFECTS,
)
def hot_partition(region: Region) -> Judgement:
    """One tenant's partition takes most of the writes, and is throttled."""
    throttled = throttling(region)
    if throttled.too_early:
        return throttled.undecided()
    if not throttled.total:
        return ok("nothing was throttled", *throttled.left_out)
    hot, seen = throttled.hot, throttled.evidence(region.names.jobs_table)
    tenant, share = _hot_tenant(region)
    most = Evidence(
        "dynamodb:Query", f"tenant {tenant}", f"{share:.0%} of the recent jobs", f"below {HOT_SHARE:.0%}"
    )
    if hot:
        suspect = f", most likely that of tenant {tenant}" if share > HOT_SHARE else ""
        return fail(
            f"one partition was at its limit for {hot:g} requests{suspect}",
            Evidence("cloudwatch:GetMetricData", "KeyRangeThroughputThrottleEvents", f"{hot:g}", "0"),
            *([most] if suspect else []),
            *throttled.left_out,
        )
    if not _hot_by_inference(region):
        return ok(
            f"no partition stands out: {_load(region)}, the largest tenant has {share:.0%} of the jobs", *seen
        )
    return warn(
        f"inferred: throttled at {_load(region)}, far from the table's limit, with {share:.0%} of the recent "
        f"jobs under tenant {tenant}; DynamoDB itself does not say that a partition was the reason",
        *seen,
        most,
        direct=False,
    )
