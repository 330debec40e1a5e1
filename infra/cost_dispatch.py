"""What dispatches cost, by tier, from the task definitions and the retention that the stack declares."""

from collections.abc import Iterator

from infra.cost_assumptions import Assumptions
from infra.cost_lines import Charge, fargate
from infra.prices import MINUTES_AN_HOUR
from infra.rendering import Declared, Rendered
from outpost.agents import AGENTS
from outpost.names import family, log_group

MB = 1024  # one GB
DAYS = 30  # a month of storage
ONE_MINUTE = 1  # Fargate bills at least one


def dispatch_charges(declared: Declared, assumed: Assumptions, count: int) -> dict[str, list[Charge]]:
    """What `count` dispatches cost in each tier that agents use, smallest first."""
    definitions = {
        definition.inputs["family"]: definition
        for definition in declared.of("aws:ecs/taskDefinition:TaskDefinition")
    }
    tiers = {
        spec.tier.name: (definitions[family(agent)], log_group(agent))
        for agent, spec in sorted(AGENTS.items(), key=lambda entry: entry[1].tier.memory)
    }
    return {
        tier: [
            Charge(heading=charge.heading, price=charge.price, quantity=charge.quantity * count)
            for charge in _one(definition, group, declared, assumed)
        ]
        for tier, (definition, group) in tiers.items()
    }


def _one(definition: Rendered, group: str, declared: Declared, assumed: Assumptions) -> Iterator[Charge]:
    hours = max(assumed.minutes, ONE_MINUTE) / MINUTES_AN_HOUR
    for price, an_hour in fargate(definition):
        yield Charge(heading="Fargate", price=price, quantity=an_hour * hours)
    logged = assumed.log_mb / MB
    kept = _retention_days(declared, group) / DAYS
    yield Charge(heading="Logs", price="logs-ingestion", quantity=logged)
    yield Charge(heading="Logs", price="logs-storage", quantity=logged * assumed.log_compression * kept)
    through_nat = assumed.egress_mb / MB
    if not _has_gateway(declared, "s3"):
        through_nat += assumed.image_gb  # layers come from S3
    yield Charge(heading="Network", price="nat-data", quantity=through_nat)
    yield Charge(heading="Network", price="internet-out", quantity=assumed.internet_out_mb / MB)
    yield Charge(heading="Requests", price="dynamodb-write", quantity=assumed.write_units)
    yield Charge(heading="Requests", price="dynamodb-read", quantity=assumed.read_units)
    yield Charge(heading="Requests", price="sqs-request", quantity=assumed.queue_requests)
    yield Charge(heading="Requests", price="secret-read", quantity=1)  # by ECS, as the task starts
    yield Charge(heading="Artifacts", price="s3-put", quantity=assumed.artifact_files)
    yield Charge(heading="Artifacts", price="s3-get", quantity=assumed.artifact_files)
    months = _artifact_days(declared) / DAYS
    yield Charge(heading="Artifacts", price="s3-storage", quantity=assumed.artifact_mb / MB * months)


def _retention_days(declared: Declared, name: str) -> float:
    groups = {group.inputs["name"]: group for group in declared.of("aws:cloudwatch/logGroup:LogGroup")}
    return float(groups[name].inputs["retentionInDays"])


def _artifact_days(declared: Declared) -> float:
    """The longest expiration of any bucket's rule."""
    return max(
        float(rule["expiration"]["days"])
        for lifecycle in declared.of("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
        for rule in lifecycle.inputs["rules"]
        if "expiration" in rule
    )


def _has_gateway(declared: Declared, service: str) -> bool:
    return any(
        endpoint.inputs.get("vpcEndpointType", "Gateway") == "Gateway"
        and endpoint.inputs["serviceName"].endswith(f".{service}")
        for endpoint in declared.of("aws:ec2/vpcEndpoint:VpcEndpoint")
    )
