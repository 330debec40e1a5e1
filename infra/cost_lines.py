"""What each type of resource costs in a month at rest: one function for each type that has a price."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from infra.cost_assumptions import Assumptions
from infra.cost_free import FREE
from infra.prices import HOURS, MINUTES_AN_HOUR
from infra.rendering import Declared, Rendered
from outpost.agents import DEFAULT_STORAGE_GIB
from outpost.errors import OutpostError

CPU_UNITS = 1024  # one vCPU
MIB = 1024  # one GB of Fargate's memory
# Target tracking makes two alarms for each policy, one to scale out and one to scale in; DynamoDB's policies
# make four ("Target tracking scaling policies" in the Application Auto Scaling user guide).
ALARMS_OF_A_POLICY, ALARMS_OF_A_TABLE_POLICY = 2, 4


@dataclass(frozen=True, kw_only=True)
class Charge:
    """`quantity` units of a price, under a heading of the estimate."""

    heading: str
    price: str
    quantity: float
    resource: str = ""


Pricing = Callable[[Rendered, Declared, Assumptions], Iterator[Charge]]
PRICED: dict[str, Pricing] = {}


def charges(declared: Declared, assumed: Assumptions) -> list[Charge]:
    """What the stack costs at rest; raises `OutpostError` (`unpriced-resource`) for an unknown type."""
    found: list[Charge] = []
    for resource in declared.resources:
        if resource.type in FREE:
            continue
        pricing = PRICED.get(resource.type)
        if pricing is None:
            raise OutpostError(
                "unpriced-resource",
                f"{resource.name} is of the type {resource.type}, which has no price.",
                remedy="Add a function to infra/cost_lines.py or, if free, the reason to infra/cost_free.py.",
            )
        found.extend(pricing(resource, declared, assumed))
    return found


def _priced(token: str) -> Callable[[Pricing], Pricing]:
    def register(pricing: Pricing) -> Pricing:
        PRICED[token] = pricing
        return pricing

    return register


@_priced("aws:ec2/natGateway:NatGateway")
def _nat_gateway(nat: Rendered, stack: Declared, assumed: Assumptions) -> Iterator[Charge]:
    share = assumed.nat_gb / len(stack.of(nat.type))
    yield Charge(heading="NAT gateways", price="nat-gateway", quantity=HOURS, resource=nat.name)
    yield Charge(heading="NAT traffic at rest", price="nat-data", quantity=share, resource=nat.name)


@_priced("aws:ec2/eip:Eip")
def _address(address: Rendered, _: Declared, __: Assumptions) -> Iterator[Charge]:
    yield Charge(heading="Public IPv4 addresses", price="public-ipv4", quantity=HOURS, resource=address.name)


@_priced("aws:ec2/vpcEndpoint:VpcEndpoint")
def _endpoint(endpoint: Rendered, _: Declared, __: Assumptions) -> Iterator[Charge]:
    if endpoint.inputs.get("vpcEndpointType", "Gateway") == "Gateway":
        return  # S3's and DynamoDB's gateways are free
    zones = len(endpoint.inputs["subnetIds"])
    yield Charge(
        heading="Interface endpoints",
        price="interface-endpoint",
        quantity=HOURS * zones,
        resource=endpoint.name,
    )


@_priced("aws:ec2/flowLog:FlowLog")
def _flow_log(flow_log: Rendered, _: Declared, assumed: Assumptions) -> Iterator[Charge]:
    yield Charge(
        heading="Logs at rest", price="logs-ingestion", quantity=assumed.flow_log_gb, resource=flow_log.name
    )


@_priced("aws:lb/loadBalancer:LoadBalancer")
def _load_balancer(balancer: Rendered, _: Declared, assumed: Assumptions) -> Iterator[Charge]:
    yield Charge(heading="Load balancer", price="alb", quantity=HOURS, resource=balancer.name)
    lcu_hours = HOURS * assumed.load_balancer_lcu
    yield Charge(heading="Load balancer", price="alb-lcu", quantity=lcu_hours, resource=balancer.name)
    if not balancer.inputs.get("internal"):
        addresses = HOURS * len(balancer.inputs["subnets"])  # one in each zone
        yield Charge(
            heading="Public IPv4 addresses", price="public-ipv4", quantity=addresses, resource=balancer.name
        )


@_priced("aws:ecs/cluster:Cluster")
def _cluster(cluster: Rendered, stack: Declared, assumed: Assumptions) -> Iterator[Charge]:
    settings = {entry["name"]: entry["value"] for entry in cluster.inputs.get("settings", ())}
    if settings.get("containerInsights", "disabled") == "disabled":
        return
    services = len(stack.of("aws:ecs/service:Service"))
    metrics = assumed.metrics_per_cluster + services * assumed.metrics_per_service
    yield Charge(heading="Container Insights", price="custom-metric", quantity=metrics, resource=cluster.name)


@_priced("aws:ecs/service:Service")
def _service(service: Rendered, stack: Declared, assumed: Assumptions) -> Iterator[Charge]:
    definition = stack.at(service.inputs["taskDefinition"])
    tasks = float(service.inputs["desiredCount"])
    for price, an_hour in fargate(definition):
        yield Charge(
            heading="Control plane on Fargate",
            price=price,
            quantity=an_hour * HOURS * tasks,
            resource=service.name,
        )
    logged = assumed.control_plane_log_gb * tasks
    yield Charge(heading="Logs at rest", price="logs-ingestion", quantity=logged, resource=service.name)
    polled = sum("redrivePolicy" in queue.inputs for queue in stack.of("aws:sqs/queue:Queue"))
    polls = assumed.polls_per_minute * MINUTES_AN_HOUR * HOURS * tasks * polled
    yield Charge(heading="Queue polling", price="sqs-request", quantity=polls, resource=service.name)


def fargate(definition: Rendered) -> Iterator[tuple[str, float]]:
    """The prices that a task of this definition takes, with the units of an hour."""
    architecture = definition.inputs.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64")
    prefix = "fargate-arm" if architecture == "ARM64" else "fargate-x86"
    yield f"{prefix}-vcpu", int(definition.inputs["cpu"]) / CPU_UNITS
    yield f"{prefix}-memory", int(definition.inputs["memory"]) / MIB
    storage = definition.inputs.get("ephemeralStorage", {}).get("sizeInGib", DEFAULT_STORAGE_GIB)
    if storage > DEFAULT_STORAGE_GIB:
        yield "fargate-storage", storage - DEFAULT_STORAGE_GIB


@_priced("aws:dynamodb/table:Table")
def _table(table: Rendered, _: Declared, assumed: Assumptions) -> Iterator[Charge]:
    def charge(price: str, quantity: float) -> Charge:
        return Charge(heading="Tables at rest", price=price, quantity=quantity, resource=table.name)

    yield charge("dynamodb-storage", assumed.table_gb)
    if table.inputs.get("pointInTimeRecovery", {}).get("enabled"):
        yield charge("dynamodb-pitr", assumed.table_gb)
    if table.inputs.get("billingMode") == "PROVISIONED":
        for part in (table.inputs, *table.inputs.get("globalSecondaryIndexes", ())):
            yield charge("dynamodb-wcu", HOURS * part["writeCapacity"])
            yield charge("dynamodb-rcu", HOURS * part["readCapacity"])


@_priced("aws:efs/fileSystem:FileSystem")
def _file_system(system: Rendered, stack: Declared, assumed: Assumptions) -> Iterator[Charge]:
    size = assumed.workspace_gb * len(stack.of("aws:efs/accessPoint:AccessPoint"))
    yield Charge(heading="Workspaces", price="efs-storage", quantity=size, resource=system.name)
    if stack.of("aws:efs/backupPolicy:BackupPolicy"):
        yield Charge(heading="Workspaces", price="efs-backup", quantity=size, resource=system.name)


@_priced("aws:ecr/repository:Repository")
def _repository(repository: Rendered, _: Declared, assumed: Assumptions) -> Iterator[Charge]:
    size = assumed.image_gb * assumed.images_kept
    yield Charge(heading="Images", price="ecr-storage", quantity=size, resource=repository.name)


@_priced("aws:cloudwatch/metricAlarm:MetricAlarm")
def _alarm(alarm: Rendered, _: Declared, __: Assumptions) -> Iterator[Charge]:
    queries = alarm.inputs.get("metricQueries") or [{"metric": True}]
    metrics = sum("metric" in query for query in queries)
    yield Charge(heading="Alarms", price="alarm", quantity=metrics, resource=alarm.name)


@_priced("aws:appautoscaling/policy:Policy")
def _scaling_policy(scaling: Rendered, _: Declared, __: Assumptions) -> Iterator[Charge]:
    of_a_table = scaling.inputs.get("serviceNamespace") == "dynamodb"
    alarms = ALARMS_OF_A_TABLE_POLICY if of_a_table else ALARMS_OF_A_POLICY
    yield Charge(heading="Alarms", price="alarm", quantity=alarms, resource=scaling.name)


def _each(heading: str, price: str) -> Pricing:
    """One unit of a price for each resource."""

    def pricing(resource: Rendered, _: Declared, __: Assumptions) -> Iterator[Charge]:
        yield Charge(heading=heading, price=price, quantity=1, resource=resource.name)

    return pricing


PRICED |= {
    "aws:secretsmanager/secret:Secret": _each("Secrets", "secret"),
    "aws:kms/key:Key": _each("Keys", "kms-key"),
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": _each("Private DNS zone", "hosted-zone"),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": _each("Metrics from logs", "custom-metric"),
    "aws:cloudwatch/dashboard:Dashboard": _each("Dashboards", "dashboard"),
}
