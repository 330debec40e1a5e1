"""Slow response times: the API answers, late."""

from __future__ import annotations

from outpost.names import SERVICE
from runbooks.alarms import MetricAlarm
from runbooks.definitions import deploy, with_environment
from runbooks.looking import Absent, Answer
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, warn
from runbooks.observations import Region
from runbooks.observations.tables import provisioned
from runbooks.remedies import Action, Call, Plan
from runbooks.throttling import fitting, raising, throttling

RUNBOOK = Runbook(
    issue="slow-responses",
    title="Slow response times",
    section="Control plane",
    symptoms=("API latency > 500ms", "Timeouts on dispatch creation"),
    alarm=MetricAlarm(
        namespace="AWS/ApplicationELB",
        metric="TargetResponseTime",
        statistic="p95",
        threshold=0.5,  # seconds; the guide's 500 ms
        evaluation_periods=5,
        dimensions=(("LoadBalancer", "{load_balancer}"),),
    ),
    severity=Severity.DEGRADED,
)

BUSY = 0.8  # of the provisioned capacity
DEFAULT_KEEP_ALIVE = 75  # seconds; the service's own default
MARGIN = 5  # seconds by which the service keeps a connection longer than the load balancer
GATEWAY_SERVICES = ("s3", "dynamodb")  # gateway endpoints cost nothing


def consumed(region: Region) -> tuple[float, float]:
    """Read and write units per second of the jobs table, in its busiest period."""
    return region.metrics.peak("reads"), region.metrics.peak("writes")


@RUNBOOK.cause(
    "dynamodb-throttled",
    guide="DynamoDB throttling",
    solution="Check consumed capacity, consider provisioned mode.",
    steps=(
        "Give the table the capacity that the evidence names: for a table on demand, "
        "dynamodb-throttling/capacity-mode has the plan; one that is provisioned is to stay provisioned "
        "(aws dynamodb update-table), and where it scales by itself its maximum has to be as high (aws "
        "application-autoscaling register-scalable-target). Diagnosing prints both with their numbers. "
        "What was throttled before that change counts no more."
    ),
)
def dynamodb_throttled(region: Region) -> Judgement:
    """The jobs table is used up to its capacity, or throttles."""
    table = region.tables.jobs()
    reads, writes = consumed(region)
    throttled = throttling(region)
    used = f"{reads:.1f} reads/s and {writes:.1f} writes/s at the peak"
    capacity = "on demand"
    busy = False
    if provisioned(table):
        given = table.get("ProvisionedThroughput", {})
        limits = float(given.get("ReadCapacityUnits") or 0), float(given.get("WriteCapacityUnits") or 0)
        capacity = f"provisioned {limits[0]:g} reads/s, {limits[1]:g} writes/s"
        busy = reads > BUSY * limits[0] or writes > BUSY * limits[1]
    numbers = Evidence(
        "cloudwatch:GetMetricData", region.names.jobs_table, used, f"below {BUSY:.0%}: {capacity}"
    )
    if throttled.total:
        fits = Evidence(
            "dynamodb:DescribeTable", region.names.jobs_table, capacity, fitting(region, (reads, writes))
        )
        seen = throttled.evidence(region.names.jobs_table)
        return fail(f"{throttled.total:g} requests throttled; {used}, {capacity}", numbers, fits, *seen).then(
            *raising(region, (reads, writes))
        )
    if throttled.too_early:
        return throttled.undecided()
    if busy:
        return warn(f"{used}; {capacity}", numbers, *throttled.left_out)
    return ok(f"nothing was throttled; {used}, {capacity}", *throttled.left_out)


def _timeouts(region: Region) -> tuple[int, int]:
    """How long the service, and the load balancer, keep an idle connection, in seconds."""
    setting = region.containers.definition().environment.get("KEEP_ALIVE_SECONDS", "")
    keep_alive = int(setting) if setting.isdigit() else DEFAULT_KEEP_ALIVE
    return keep_alive, region.balancer.idle_timeout()


def _keep_longer(region: Region) -> Plan | None:
    _, idle = _timeouts(region)
    definition = region.containers.definition()
    return deploy(region, with_environment(definition, {"KEEP_ALIVE_SECONDS": str(idle + MARGIN)}))


@RUNBOOK.cause(
    "cold-connections",
    guide="Cold starts",
    solution="Enable keep-alive on ALB.",
    remedy=_keep_longer,
)
def cold_connections(region: Region) -> Judgement:
    """The control plane closes idle connections before the load balancer does."""
    keep_alive, idle = _timeouts(region)
    if keep_alive > idle:
        return ok(f"connections are kept for {keep_alive} s, longer than the load balancer's {idle} s")
    name = region.containers.definition().name
    return fail(
        f"connections are kept for {keep_alive} s, the load balancer's for {idle} s",
        Evidence("ecs:DescribeTaskDefinition", name, f"KEEP_ALIVE_SECONDS={keep_alive}", f"more than {idle}"),
        Evidence(
            "elbv2:DescribeLoadBalancerAttributes",
            region.names.load_balancer,
            f"idle_timeout.timeout_seconds={idle}",
            f"less than {keep_alive}",
        ),
    )


def _endpoint(region: Region, service: str) -> Answer | None:
    name = f"com.amazonaws.{region.target.region}.{service}"
    live = ("available", "pending", "Available", "Pending")
    return next(
        (e for e in region.network.endpoints() if e["ServiceName"] == name and e["State"] in live), None
    )


def _unrouted(region: Region, service: str) -> list[str]:
    """The workers' route tables that lead to a service through NAT."""
    tables = region.network.route_tables_of_workers()
    endpoint = _endpoint(region, service)
    if endpoint is not None and endpoint.get("VpcEndpointType") == "Interface":
        return []
    return sorted(tables - set(endpoint.get("RouteTableIds", []) if endpoint else []))


def _add_endpoints(region: Region) -> Plan | None:
    actions = []
    for service in GATEWAY_SERVICES:
        tables = _unrouted(region, service)
        endpoint = _endpoint(region, service)
        if not tables:
            continue
        if endpoint is None:
            parameters = {
                "VpcId": region.network.vpc(),
                "ServiceName": f"com.amazonaws.{region.target.region}.{service}",
                "VpcEndpointType": "Gateway",
                "RouteTableIds": tables,
            }
            actions.append(Action(Call("ec2:CreateVpcEndpoint", parameters)))
        else:
            which = {"VpcEndpointId": endpoint["VpcEndpointId"]}
            actions.append(
                Action(
                    Call("ec2:ModifyVpcEndpoint", which | {"AddRouteTableIds": tables}),
                    Call("ec2:ModifyVpcEndpoint", which | {"RemoveRouteTableIds": tables}),
                )
            )
    return Plan(actions=tuple(actions))


@RUNBOOK.cause(
    "missing-vpc-endpoints",
    guide="Network latency",
    solution="Verify VPC endpoints configured.",
    remedy=_add_endpoints,
)
def missing_vpc_endpoints(region: Region) -> Judgement:
    """Traffic to S3 and DynamoDB goes through the NAT gateway."""
    try:
        missing = {service: _unrouted(region, service) for service in GATEWAY_SERVICES}
    except Absent as absent:
        return warn(str(absent), Evidence(absent.operation, SERVICE, absent.detail, "the private subnets"))
    evidence = [
        Evidence(
            "ec2:DescribeVpcEndpoints", table, f"no route to an endpoint for {service}", "a gateway endpoint"
        )
        for service, tables in missing.items()
        for table in tables
    ]
    if not evidence:
        return ok("S3 and DynamoDB are reached through gateway endpoints")
    services = ", ".join(service for service, tables in missing.items() if tables)
    return fail(f"no gateway endpoint for {services} in the private subnets", *evidence)
