"""Dispatch stays in PENDING: accepted, and not launched."""

from __future__ import annotations

from outpost.agents import AGENTS, CONTROL_PLANE, Agent
from outpost.names import VCPU_QUOTA_CODE, family
from runbooks.alarms import MetricAlarm, dead_letters
from runbooks.definitions import registration
from runbooks.egress import blocked_routes, missing_rules, open_egress
from runbooks.looking import Absent
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, warn
from runbooks.observations import Region
from runbooks.remedies import Action, Call, Plan

RUNBOOK = Runbook(
    issue="dispatch-stuck-pending",
    title="Dispatch stays in PENDING",
    section="Workers and agents",
    symptoms=("Status never changes from PENDING", "No ECS task launched"),
    # How long a dispatch has waited whose launch is refused again. The launch queue does not tell: each
    # refusal sends a new message, and holds it back for five minutes at most.
    alarm=MetricAlarm(
        namespace="Outpost", metric="DispatchPending", statistic="Maximum", threshold=300, period=300
    ),
    further={
        # No launcher takes messages from the queue.
        "launch-queue-age": MetricAlarm(
            namespace="AWS/SQS",
            metric="ApproximateAgeOfOldestMessage",
            statistic="Maximum",
            threshold=300,
            evaluation_periods=2,
            dimensions=(("QueueName", "{launch_queue}"),),
        ),
        "launch-dead-letters": dead_letters("{launch_dead_letter_queue}"),
        "event-dead-letters": dead_letters("{events_dead_letter_queue}"),
    },
    severity=Severity.DISPATCHES,
)

ISSUE = RUNBOOK.issue
FEW_ADDRESSES = 8  # in all subnets together: less than a deployment and a few dispatches need
QUOTA_STEP = 32  # vCPUs to ask for, at least: sixteen of the largest agent at once
CPU_UNITS = 1024  # in one vCPU


def waiting_evidence(region: Region, cause: str) -> list[Evidence]:
    """What the launcher noted on the dispatches that wait for this cause."""
    return [
        Evidence(
            "dynamodb:Query",
            f"dispatch {job.id}",
            f"PENDING: {job.waiting.get('summary') or job.waiting.get('code')}",
            "launched",
        )
        for job in region.dispatches.waiting()
        if job.waiting.get("issue") == ISSUE and job.waiting.get("cause") == cause
    ]


def _request_quota(region: Region) -> Plan | None:
    quota = region.access.vcpu_quota()
    wanted = float(max(QUOTA_STEP, 2 * quota))
    request = Call(
        "service-quotas:RequestServiceQuotaIncrease",
        {"ServiceCode": "fargate", "QuotaCode": VCPU_QUOTA_CODE, "DesiredValue": wanted},
    )
    return Plan(actions=(Action(request),), state=quota, settle=10)


@RUNBOOK.cause(
    "vcpu-quota-exhausted",
    guide="Fargate vCPU quota exhausted",
    solution="Request quota increase.",
    remedy=_request_quota,
)
def vcpu_quota_exhausted(region: Region) -> Judgement:
    """The account's Fargate vCPU quota leaves no room for another task."""
    quota = region.access.vcpu_quota()
    needed = (CONTROL_PLANE.cpu + max(spec.tier.cpu for spec in AGENTS.values())) / CPU_UNITS
    waiting = waiting_evidence(region, "vcpu-quota-exhausted")
    if waiting:
        tasks = region.containers.in_cluster()
        used = sum(int(task.raw.get("cpu") or 0) for task in tasks) / CPU_UNITS
        return fail(
            f"{len(waiting)} dispatches wait; {used:g} of {quota:g} vCPUs run in this cluster",
            Evidence(
                "service-quotas:GetServiceQuota", VCPU_QUOTA_CODE, f"{quota:g} vCPUs", "room for one more"
            ),
            Evidence(
                "ecs:DescribeTasks", region.names.cluster, f"{len(tasks)} tasks, {used:g} vCPUs", "less"
            ),
            *waiting[:3],
        )
    if quota < needed:
        return warn(
            f"the quota of {quota:g} vCPUs has no room for the control plane and the largest agent",
            Evidence("service-quotas:GetServiceQuota", VCPU_QUOTA_CODE, f"{quota:g} vCPUs", f">= {needed:g}"),
        )
    return ok(f"the quota is {quota:g} vCPUs, and no dispatch waits for it")


def _missing_families(region: Region) -> list[Agent]:
    missing = []
    for agent in AGENTS:
        try:
            region.containers.agent_definition(agent)
        except Absent:
            missing.append(agent)
    return missing


def _register_again(region: Region) -> Plan | None:
    """The last revision that was taken away, registered anew."""
    actions = []
    for agent in _missing_families(region):
        inactive = region.containers.last_inactive(family(agent))
        if inactive is None:
            return None
        actions.append(Action(Call("ecs:RegisterTaskDefinition", registration(inactive))))
    return Plan(actions=tuple(actions))


@RUNBOOK.cause(
    "task-definition-missing",
    guide="Task definition not found",
    solution="Verify task definition exists.",
    remedy=_register_again,
)
def task_definition_missing(region: Region) -> Judgement:
    """An agent has no ACTIVE task definition."""
    missing = _missing_families(region)
    if not missing:
        return ok(f"all {len(AGENTS)} agents have an ACTIVE task definition")
    return fail(
        f"no ACTIVE revision of {', '.join(family(agent) for agent in missing)}",
        *(
            Evidence("ecs:DescribeTaskDefinition", family(agent), "no ACTIVE revision", "one ACTIVE revision")
            for agent in missing
        ),
        *waiting_evidence(region, "task-definition-missing")[:3],
    )


@RUNBOOK.cause(
    "subnet-exhausted",
    guide="Subnet capacity",
    solution="Check subnet CIDR has available IPs.",
    steps=(
        "Lower outpost:privateSubnetPrefix in Pulumi.STACK.yaml for larger subnets and deploy, or "
        "wait for running tasks to end."
    ),
)
def subnet_exhausted(region: Region) -> Judgement:
    """The workers' subnets have no free address for another task."""
    subnets = region.network.worker_subnets()
    free = sum(int(subnet["AvailableIpAddressCount"]) for subnet in subnets)
    evidence = [
        Evidence(
            "ec2:DescribeSubnets",
            f"{subnet['SubnetId']} ({subnet['CidrBlock']})",
            f"{subnet['AvailableIpAddressCount']} free addresses",
            "one for each task",
        )
        for subnet in subnets
    ]
    waiting = waiting_evidence(region, "subnet-exhausted")
    if free == 0 or (waiting and free < FEW_ADDRESSES):
        return fail("the workers' subnets have no free addresses", *evidence, *waiting[:3])
    if free < FEW_ADDRESSES:
        return warn(f"{free} free addresses are left for workers", *evidence)
    return ok(f"{free} free addresses in {len(subnets)} subnets")


@RUNBOOK.cause(
    "egress-blocked",
    guide="Security group rules",
    solution="Verify egress allowed.",
    remedy=open_egress,
    explains=("agent-timeout/network-unreachable",),
)
def egress_blocked(region: Region) -> Judgement:
    """Workers have no way out: a security group or a route is closed."""
    try:
        evidence = [rule.evidence(region) for rule in missing_rules(region)] + blocked_routes(region)
    except Absent as absent:
        wanted = "the workers' security group and subnets"
        return fail(str(absent), Evidence(absent.operation, absent.detail, absent.code, wanted))
    if not evidence:
        return ok("workers may reach the control plane and, through NAT, the internet")
    return fail(
        f"{evidence[0].resource}: {evidence[0].saw} ({evidence[0].expected})",
        *evidence,
        *waiting_evidence(region, "egress-blocked")[:3],
    )
