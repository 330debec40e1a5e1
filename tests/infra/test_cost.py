"""The estimate follows from what the program declares, and nothing declared is left out."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from infra.cost import Estimate, as_document, as_text
from infra.cost_assumptions import Assumptions
from infra.cost_free import FREE
from infra.cost_lines import PRICED, Charge, charges
from infra.prices import HOURS, Prices
from infra.rendering import Declared, Rendered
from outpost.errors import OutpostError

PRICES = Prices.load()
NOTHING = Assumptions()


def resource(token: str, **inputs: object) -> Rendered:
    arn = f"arn:{token}:{inputs.get('family', 'it')}"
    return Rendered(type=token, name="it", inputs=inputs, outputs={"arn": arn})


def amounts(found: Iterable[Charge]) -> dict[str, float]:
    return {charge.price: round(charge.quantity * PRICES[charge.price].amount, 4) for charge in found}


@pytest.fixture(scope="module")
def stacks() -> dict[str, Declared]:
    return {stack: Declared.of_stack(stack) for stack in ("dev", "prod")}


@pytest.fixture(scope="module")
def document(stacks: dict[str, Declared]) -> dict[str, Any]:
    return as_document(Estimate.of(stacks.values(), NOTHING, PRICES))


def test_every_declared_type_has_a_price_or_a_reason(stacks: dict[str, Declared]) -> None:
    for declared in stacks.values():
        for found in declared.resources:
            assert (found.type in PRICED) != (found.type in FREE), found.type


def test_an_unknown_type_is_an_error() -> None:
    stack = Declared("dev", [resource("aws:rds/cluster:Cluster")])
    with pytest.raises(OutpostError, match="aws:rds/cluster:Cluster, which has no price"):
        charges(stack, NOTHING)


def test_an_unknown_price_is_an_error() -> None:
    with pytest.raises(OutpostError, match="no price 'gold'"):
        PRICES["gold"]


def test_a_nat_gateway_costs_its_hours_and_traffic() -> None:
    stack = Declared("dev", [resource("aws:ec2/natGateway:NatGateway")])
    found = charges(stack, Assumptions(nat_gb=100))
    assert amounts(found) == {"nat-gateway": 32.85, "nat-data": 4.5}


def test_a_service_costs_what_its_tasks_have() -> None:
    """Two tasks of 0.5 vCPU and 2 GB: 2 x 730 x (0.5 x 0.04048 + 2 x 0.004445)."""
    definition = resource("aws:ecs/taskDefinition:TaskDefinition", family="f", cpu="512", memory="2048")
    service = resource("aws:ecs/service:Service", taskDefinition=definition.outputs["arn"], desiredCount=2.0)
    found = amounts(charges(Declared("dev", [definition, service]), NOTHING))
    assert found["fargate-x86-vcpu"] == pytest.approx(29.5504)
    assert found["fargate-x86-memory"] == pytest.approx(12.9794)


def test_arm_costs_less_than_x86(stacks: dict[str, Declared]) -> None:
    arm = Declared.of_stack("dev", {"outpost:architecture": "ARM64"})
    x86_estimate, arm_estimate = (Estimate.of([each], NOTHING, PRICES) for each in (stacks["dev"], arm))
    assert arm_estimate.total(arm_estimate.stacks[0].month) < x86_estimate.total(x86_estimate.stacks[0].month)


def test_provisioned_tables_cost_their_capacity() -> None:
    table = resource(
        "aws:dynamodb/table:Table",
        billingMode="PROVISIONED",
        readCapacity=10.0,
        writeCapacity=5.0,
        globalSecondaryIndexes=[{"readCapacity": 1.0, "writeCapacity": 1.0}],
    )
    hours = {
        price: sum(
            charge.quantity for charge in charges(Declared("d", [table]), NOTHING) if charge.price == price
        )
        for price in ("dynamodb-rcu", "dynamodb-wcu")
    }
    assert hours == {"dynamodb-rcu": 11 * HOURS, "dynamodb-wcu": 6 * HOURS}


def test_gateway_endpoints_are_free_and_interface_endpoints_cost_by_zone() -> None:
    token = "aws:ec2/vpcEndpoint:VpcEndpoint"
    gateway = resource(token, vpcEndpointType="Gateway")
    interface = resource(token, vpcEndpointType="Interface", subnetIds=["a", "b", "c"])
    assert charges(Declared("d", [gateway]), NOTHING) == []
    assert amounts(charges(Declared("d", [interface]), NOTHING)) == {"interface-endpoint": 21.9}


def test_an_alarm_costs_by_its_metrics() -> None:
    one = resource("aws:cloudwatch/metricAlarm:MetricAlarm", metricName="CPUUtilization")
    two = resource(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        metricQueries=[{"metric": {}}, {"metric": {}}, {"expression": "m1/m2"}],
    )
    assert [amounts(charges(Declared("d", [each]), NOTHING))["alarm"] for each in (one, two)] == [0.1, 0.2]


def test_production_costs_more_than_development(
    document: dict[str, Any],
) -> None:
    stacks = document["stacks"]
    assert stacks["prod"]["month"]["total"] > stacks["dev"]["month"]["total"] > 50


def test_dispatches_cost_more_in_larger_tiers(
    document: dict[str, Any],
) -> None:
    tiers = document["stacks"]["dev"]["dispatches1000"]
    assert [tier["total"] for tier in tiers.values()] == sorted(tier["total"] for tier in tiers.values())
    assert list(tiers) == ["fast", "balanced", "flagship"]


def test_a_flagship_dispatch_is_its_fargate_time(stacks: dict[str, Declared]) -> None:
    """1,000 x 10 minutes of 2 vCPU and 8 GB: 1000/6 x (2 x 0.04048 + 8 x 0.004445)."""
    estimate = Estimate.of([stacks["dev"]], Assumptions(minutes=10), PRICES)
    flagship = estimate.by_heading(estimate.stacks[0].dispatches["flagship"])
    assert flagship["Fargate"] == pytest.approx(19.42, abs=0.005)


def test_without_an_s3_gateway_images_come_through_nat(stacks: dict[str, Declared]) -> None:
    without = Declared(
        "dev", [each for each in stacks["dev"].resources if each.type != "aws:ec2/vpcEndpoint:VpcEndpoint"]
    )
    costs = [
        estimate.by_heading(estimate.stacks[0].dispatches["fast"])["Network"]
        for estimate in (Estimate.of([each], NOTHING, PRICES) for each in (stacks["dev"], without))
    ]
    assert costs[1] - costs[0] == pytest.approx(1000 * NOTHING.image_gb * PRICES["nat-data"].amount)


def test_text_shows_the_stacks_side_by_side_with_what_they_rest_on(stacks: dict[str, Declared]) -> None:
    text = as_text(Estimate.of(stacks.values(), Assumptions.parse(["minutes=5"]), PRICES))
    assert "reviewed 2026-11-23" in text
    assert text.splitlines()[2].split() == ["A", "month", "at", "rest", "dev", "prod"]
    assert "1,000 dispatches of 5 minutes" in text
    assert "minutes=5" in text


def test_the_document_is_json_and_sums_up(
    document: dict[str, Any],
) -> None:
    month = json.loads(json.dumps(document))["stacks"]["dev"]["month"]
    assert month["total"] == pytest.approx(sum(charge["amount"] for charge in month["charges"]))
    assert all(charge["source"].startswith("https://aws.amazon.com/") for charge in month["charges"])


@pytest.mark.parametrize("setting", ["minutes", "minutes=-1", "minutes=ten", "minutes=inf", "hours=1"])
def test_a_wrong_assumption_is_named(setting: str) -> None:
    with pytest.raises(OutpostError, match="is not an assumption"):
        Assumptions.parse([setting])


def test_every_price_has_a_source_and_a_positive_amount() -> None:
    for key, price in PRICES.table.items():
        assert price.amount > 0, key
        assert price.source.startswith("https://aws.amazon.com/"), key


def test_prices_that_were_not_compared_with_their_source_are_named_once(
    stacks: dict[str, Declared],
) -> None:
    estimate = Estimate.of([stacks["dev"]], NOTHING, PRICES)
    unchecked = [line for line in as_text(estimate).splitlines() if "Not compared" in line]
    assert len(unchecked) == 1
    assert as_document(estimate)["notCompared"]
    assert all(key in unchecked[0] for key in as_document(estimate)["notCompared"])
    assert "nat-gateway" not in unchecked[0]  # its source was seen
