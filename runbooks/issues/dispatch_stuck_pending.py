"""Dispatch stays in PENDING: accepted, and not launched."""

from __future__ import annotations

from outpost.agents import AGENTS, CONTROL_PLANE, Agent
from outpost.names import CONTROL_PLANE_PORT, VCPU_QUOTA_CODE, family
from runbooks.alarms import MetricAlarm
from runbooks.definitions import registration
from runbooks.looking import Absent
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, warn
from runbooks.observations import Region
from runbooks.observations.network import allows_internet, allows_port
from runbooks.remedies import Action, Call, Plan

RUNBOOK = Runbook(
    issue="dispatch-stuck-pending",
    title="Dispatch stays in PENDING",
    section="Workers and agents",
    symptoms=("Status never changes from PENDING", "No ECS task launched"),
    alarm=MetricAlarm(
        namespace="AWS/SQS",
        metric="ApproximateAgeOfOldestMessage",
        statistic="Maximum",
        threshold=300,
        evaluation_periods=2,
        dimensions=(("QueueName", "{launch_queue}"),),
    ),
    severity=Severity.DISPATCHES,
)

ISSUE = RUNBOOK.issue
HTTPS = 443
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


def blocked_egress(region: Region) -> list[Evidence]:
    """What of the workers' way out is closed by security groups: the internet, and the control plane."""
    group = region.network.worker_security_group()
    rules = group.get("IpPermissionsEgress", [])
    evidence = []
    if not allows_internet(rules, HTTPS):
        evidence.append(_no_rule(group["GroupId"], "egress to 0.0.0.0/0 on TCP 443"))
    control_plane = next(
        (
            other
            for other in region.network.security_groups().values()
            if other.get("GroupName") == region.names.control_plane_security_group
        ),
        None,
    )
    if control_plane is not None:
        owner = control_plane["GroupId"]
        if not (
            allows_port(rules, CONTROL_PLANE_PORT, group=owner) or allows_internet(rules, CONTROL_PLANE_PORT)
        ):
            evidence.append(_no_rule(group["GroupId"], f"egress to {owner} on TCP {CONTROL_PLANE_PORT}"))
        if not allows_port(
            control_plane.get("IpPermissions", []), CONTROL_PLANE_PORT, group=group["GroupId"]
        ):
            evidence.append(_no_rule(owner, f"ingress from {group['GroupId']} on TCP {CONTROL_PLANE_PORT}"))
    return evidence


def _no_rule(group: str, expected: str) -> Evidence:
    return Evidence("ec2:DescribeSecurityGroups", group, "no such rule", expected)


def blocked_routes(region: Region) -> list[Evidence]:
    """What of the workers' subnets has no working route to the internet."""
    evidence = []
    for subnet in region.network.worker_subnets():
        route = region.network.default_route(subnet)
        expected = "0.0.0.0/0 to an available NAT gateway"
        if route is None:
            evidence.append(
                Evidence("ec2:DescribeRouteTables", subnet["SubnetId"], "no default route", expected)
            )
        elif route.get("State") == "blackhole":
            evidence.append(Evidence("ec2:DescribeRouteTables", subnet["SubnetId"], "blackhole", expected))
        elif route.get("NatGatewayId"):
            gateway = region.network.nat_gateways().get(route["NatGatewayId"])
            state = gateway["State"] if gateway else "gone"
            if state != "available":
                evidence.append(
                    Evidence("ec2:DescribeNatGateways", route["NatGatewayId"], state, "available")
                )
        elif str(route.get("GatewayId", "")).startswith("igw-"):
            saw = f"the default route goes to {route['GatewayId']}, and workers have no public address"
            evidence.append(Evidence("ec2:DescribeRouteTables", subnet["SubnetId"], saw, expected))
    return evidence


def _open_egress(region: Region) -> Plan | None:
    """Add the rules that are missing, and the default routes where there is a gateway for them."""
    actions = [_rule(region, evidence) for evidence in blocked_egress(region)]
    gateways = [g for g in region.network.nat_gateways().values() if g["State"] == "available"]
    tables: set[str] = set()
    for subnet in region.network.worker_subnets():
        if region.network.default_route(subnet) is not None:
            continue
        table = region.network.route_table(subnet)
        if table is None or not gateways:
            return None
        tables.add(table["RouteTableId"])
    for identifier in sorted(tables):
        where = {"RouteTableId": identifier, "DestinationCidrBlock": "0.0.0.0/0"}
        create = Call("ec2:CreateRoute", where | {"NatGatewayId": gateways[0]["NatGatewayId"]})
        actions.append(Action(create, Call("ec2:DeleteRoute", where)))
    return Plan(actions=tuple(actions)) if actions else None


def _rule(region: Region, missing: Evidence) -> Action:
    """The rule that a line of `blocked_egress` found missing."""
    worker = region.network.worker_security_group()["GroupId"]
    permission: dict[str, object] = {"IpProtocol": "tcp"}
    if missing.expected.startswith("ingress"):
        ports, peers = CONTROL_PLANE_PORT, {"UserIdGroupPairs": [{"GroupId": worker}]}
    elif "0.0.0.0/0" in missing.expected:
        ports, peers = HTTPS, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    else:
        ports, peers = CONTROL_PLANE_PORT, {"UserIdGroupPairs": [{"GroupId": missing.expected.split()[2]}]}
    permission |= {"FromPort": ports, "ToPort": ports, **peers}
    direction = "Ingress" if missing.expected.startswith("ingress") else "Egress"
    parameters = {"GroupId": missing.resource, "IpPermissions": [permission]}
    return Action(
        Call(f"ec2:AuthorizeSecurityGroup{direction}", parameters),
        Call(f"ec2:RevokeSecurityGroup{direction}", parameters),
    )


@RUNBOOK.cause(
    "egress-blocked",
    guide="Security group rules",
    solution="Verify egress allowed.",
    remedy=_open_egress,
    explains=("agent-timeout/network-unreachable",),
)
def egress_blocked(region: Region) -> Judgement:
    """Workers have no way out: a security group or a route is closed."""
    try:
        evidence = blocked_egress(region) + blocked_routes(region)
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
