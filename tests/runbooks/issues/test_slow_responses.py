"""Slow responses: capacity, connections and the way to AWS."""

from runbooks.model import Verdict
from tests.runbooks.judging import assert_root, judged, operations
from tests.runbooks.world import NAMES, World, scalable

ISSUE = "slow-responses"


def test_connections_that_close_too_early(world: World) -> None:
    world.idle_timeout = "65"
    report = assert_root(world, f"{ISSUE}/cold-connections", Verdict.FAIL)
    plan = report.findings[0].plan
    assert plan is not None
    container = plan.actions[0].call.parameters["containerDefinitions"][0]
    assert {"name": "KEEP_ALIVE_SECONDS", "value": "70"} in container["environment"]


def test_no_endpoint_and_one_without_the_route(world: World) -> None:
    world.endpoints = world.endpoints[:1]
    world.endpoints[0]["RouteTableIds"] = []
    report = assert_root(world, f"{ISSUE}/missing-vpc-endpoints", Verdict.FAIL)
    assert operations(report) == ["ec2:ModifyVpcEndpoint", "ec2:CreateVpcEndpoint"]


def test_a_busy_table_is_a_risk_before_it_throttles(world: World) -> None:
    world.table = {"ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10}}
    world.series["writes"] = [9.0 * 60]
    assert judged(world, f"{ISSUE}/dynamodb-throttled").judgement.verdict is Verdict.WARN
    world.series["throttled"] = [5.0]
    judgement = judged(world, f"{ISSUE}/dynamodb-throttled").judgement
    assert judgement.verdict is Verdict.FAIL
    table = f"aws dynamodb update-table --table-name {NAMES.jobs_table} --provisioned-throughput"
    assert judgement.commands == (f"{table} ReadCapacityUnits=10,WriteCapacityUnits=13",)


def test_scaling_that_stops_below_the_peak_gets_a_higher_maximum(world: World) -> None:
    world.table = {"ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 20}}
    world.series |= {"writes": [14.0 * 60], "throttled": [5.0]}
    dimension = "dynamodb:table:WriteCapacityUnits"
    world.scaling["dynamodb"] = [scalable(dimension, 5) | {"MaxCapacity": 15}]
    judgement = judged(world, f"{ISSUE}/dynamodb-throttled").judgement
    assert [command.partition(" --service")[0] for command in judgement.commands] == [
        "aws application-autoscaling register-scalable-target"
    ]
    assert judgement.commands[0].endswith(f"{dimension} --max-capacity 20")
