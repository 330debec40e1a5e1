"""High cold start latency: the first dispatch waits for capacity that later ones find warm."""

from __future__ import annotations

from outpost.names import SERVICE
from runbooks.alarms import MetricAlarm
from runbooks.definitions import ROLL_OUT, deploy, with_environment
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, warn
from runbooks.observations import Region
from runbooks.observations.dispatches import Job
from runbooks.remedies import Action, Call, Plan

RUNBOOK = Runbook(
    issue="high-cold-start",
    title="High cold start latency",
    section="Performance",
    symptoms=("First dispatch takes 30-45 seconds", "Subsequent dispatches fast"),
    alarm=MetricAlarm(
        namespace="Outpost",
        metric="DispatchStartLatency",
        statistic="p90",
        threshold=30,
        period=300,
        # The first dispatch after a pause is slow, the next are fast: two such within half an hour.
        evaluation_periods=6,
        datapoints=2,
    ),
    severity=Severity.DEGRADED,
)

SLOW_START = 30  # seconds from accepted to running: the guide's "30-45 seconds"


def _launched_at_once(job: Job) -> bool:
    return not job.waiting and int(job.raw.get("attempt") or 1) == 1


def _latency(job: Job) -> float | None:
    return (job.started - job.created).total_seconds() if job.started else None


def _pool(region: Region) -> dict[str, int]:
    """How many idle workers the control plane keeps of each agent: WARM_POOL, such as `claude=2,aider=1`."""
    setting = region.containers.definition().environment.get("WARM_POOL", "")
    pairs = (part.strip().partition("=") for part in setting.split(",") if "=" in part)
    return {agent: int(number) for agent, _, number in pairs if number.isdigit()}


def _slow_starts(region: Region) -> list[tuple[Job, float]]:
    """Dispatches that took long, newest first; none of before their agent's pool was deployed."""
    pool = _pool(region)
    deployed = region.containers.service().get("deployments", [{}])[0].get("createdAt")
    return [
        (job, latency)
        for job in region.dispatches.recent()
        if (latency := _latency(job)) is not None
        and latency >= SLOW_START
        and _launched_at_once(job)
        and not (job.agent in pool and deployed and job.created < deployed)
    ]


def _keep_warm(region: Region) -> Plan | None:
    """One idle worker of each agent that started slowly and has none."""
    pool = _pool(region)
    missing = {str(job.agent): 1 for job, _ in _slow_starts(region) if job.agent and job.agent not in pool}
    if not missing:
        return None  # a larger pool is a decision about money
    setting = ",".join(f"{agent}={number}" for agent, number in sorted({**pool, **missing}.items()))
    return deploy(region, with_environment(region.containers.definition(), {"WARM_POOL": setting}))


@RUNBOOK.cause(
    "pool-not-warmed",
    guide="Workers not pre-warmed",
    solution="Pre-warm workers: keep idle ones (warmPool in the stack's settings), or send a dummy dispatch.",
    remedy=_keep_warm,
)
def pool_not_warmed(region: Region) -> Judgement:
    """A dispatch came when no worker of its agent was warm."""
    waited = [latency for job in region.dispatches.recent() if (latency := _latency(job)) is not None]
    slow = _slow_starts(region)
    if not slow:
        return ok(f"no dispatch waited for a cold start of {SLOW_START} s or more, of {len(waited)} that ran")
    evidence = [
        Evidence(
            "dynamodb:Query",
            f"dispatch {job.id}",
            f"{job.agent} started after {latency:.0f} s",
            "a warm start",
        )
        for job, latency in slow[:3]
    ]
    fast = [latency for latency in waited if latency < SLOW_START]
    compared = f"the fastest of {len(fast)} others took {min(fast):.0f} s" if fast else "no other was faster"
    kept = _pool(region).get(str(slow[0][0].agent), 0)
    evidence.append(
        Evidence(
            "ecs:DescribeTaskDefinition",
            region.containers.definition().name,
            f"WARM_POOL keeps {kept} idle worker(s) of {slow[0][0].agent}",
            "one for each dispatch that comes at once",
        )
    )
    return warn(
        f"inferred: {len(slow)} dispatch(es) found no warm worker and took {slow[0][1]:.0f} s to start; "
        f"{compared}",
        *evidence,
        direct=False,
    )


def _keep_one(region: Region) -> Plan | None:
    target = region.containers.scalable_target()
    if target is None:
        return None
    which = {
        "ServiceNamespace": "ecs",
        "ResourceId": target["ResourceId"],
        "ScalableDimension": target["ScalableDimension"],
    }
    largest = max(1, int(target["MaxCapacity"]))
    scale = {"cluster": region.names.cluster, "service": SERVICE}
    start = Action(
        Call("ecs:UpdateService", scale | {"desiredCount": 1}),
        Call("ecs:UpdateService", scale | {"desiredCount": 0}),
    )
    stopped = region.containers.service().get("desiredCount", 0) == 0
    return Plan(
        actions=(
            Action(
                Call(
                    "application-autoscaling:RegisterScalableTarget",
                    which | {"MinCapacity": 1, "MaxCapacity": largest},
                ),
                Call(
                    "application-autoscaling:RegisterScalableTarget",
                    which | {"MinCapacity": target["MinCapacity"], "MaxCapacity": target["MaxCapacity"]},
                ),
            ),
            *([start] if stopped else []),
        ),
        settle=ROLL_OUT if stopped else 5,
    )


@RUNBOOK.cause(
    "minimum-capacity-zero",
    guide="Minimum capacity 0",
    solution="Configure ECS service auto-scaling minimum > 0.",
    explains=("control-plane-not-starting/terminated",),
    remedy=_keep_one,
)
def minimum_capacity_zero(region: Region) -> Judgement:
    """Auto-scaling may take the service down to no task at all."""
    target = region.containers.scalable_target()
    if target is None:
        return ok("the service does not scale by itself")
    if int(target["MinCapacity"]) > 0:
        return ok(f"auto-scaling keeps at least {target['MinCapacity']} task(s)")
    service = region.containers.service()
    running, wanted = service.get("runningCount", 0), service.get("desiredCount", 0)
    evidence = (
        Evidence(
            "application-autoscaling:DescribeScalableTargets", target["ResourceId"], "MinCapacity 0", ">= 1"
        ),
        Evidence("ecs:DescribeServices", SERVICE, f"{running} of {wanted} tasks run", "at least 1"),
    )
    if wanted == 0:
        return fail("the service's auto-scaling minimum is 0, and it has no task", *evidence)
    return warn("the service's auto-scaling minimum is 0: it may scale in to no task", *evidence)


def _provide(region: Region) -> Plan | None:
    cluster = region.containers.cluster()
    which = {"cluster": region.names.cluster}
    put = which | {
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
    }
    undo = which | {
        "capacityProviders": cluster.get("capacityProviders", []),
        "defaultCapacityProviderStrategy": cluster.get("defaultCapacityProviderStrategy", []),
    }
    operation = "ecs:PutClusterCapacityProviders"
    return Plan(actions=(Action(Call(operation, put), Call(operation, undo)),))


@RUNBOOK.cause(
    "no-provisioned-capacity",
    guide="No provisioned capacity",
    solution="Configure ECS with provisioned capacity mode: a capacity provider strategy on FARGATE.",
    remedy=_provide,
)
def no_provisioned_capacity(region: Region) -> Judgement:
    """The cluster's capacity provider strategy does not count on FARGATE."""
    cluster = region.containers.cluster()
    providers = cluster.get("capacityProviders", [])
    strategy = cluster.get("defaultCapacityProviderStrategy", [])
    counted = [s["capacityProvider"] for s in strategy if s.get("weight", 0) > 0 or s.get("base", 0) > 0]
    if "FARGATE" in providers and "FARGATE" in counted:
        return ok(f"the cluster {region.names.cluster} provides FARGATE to {SERVICE} and the workers")
    saw = f"providers {', '.join(providers) or 'none'}; strategy {', '.join(counted) or 'none'}"
    return fail(
        f"the cluster does not count on FARGATE: {saw}",
        Evidence("ecs:DescribeClusters", region.names.cluster, saw, "FARGATE with a weight or a base"),
    )
