"""Throttling: told apart by what DynamoDB reports, the table's settings and the spread of the jobs."""

from runbooks.model import Verdict
from runbooks.report import terminal
from runbooks.run import diagnose
from tests.runbooks.judging import assert_root, judged, operations
from tests.runbooks.world import World, scalable, target

SLOW = "slow-responses/dynamodb-throttled"
PROVISIONED = {
    "BillingModeSummary": {"BillingMode": "PROVISIONED"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10},
}


def scaled(world: World) -> None:
    dimensions = ("dynamodb:table:ReadCapacityUnits", "dynamodb:table:WriteCapacityUnits")
    world.scaling["dynamodb"] = [scalable(dimension, 5) | {"MaxCapacity": 40} for dimension in dimensions]


def test_fixed_capacity_is_a_risk_until_it_throttles(world: World) -> None:
    world.table = PROVISIONED
    report = assert_root(world, "dynamodb-throttling/autoscaling-off", Verdict.WARN)
    assert (
        operations(report)
        == [
            "application-autoscaling:RegisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
        ]
        * 2
    )
    world.series = {"write_throttles": [0, 7], "writes": [900, 900]}
    assert_root(world, "dynamodb-throttling/autoscaling-off", Verdict.FAIL, SLOW)


def test_a_scaled_table_is_no_finding(world: World) -> None:
    world.table = PROVISIONED
    scaled(world)
    world.series = {"writes": [300, 300]}
    assert judged(world, "dynamodb-throttling/autoscaling-off").judgement.verdict is Verdict.OK
    assert judged(world, "dynamodb-throttling/capacity-mode").judgement.verdict is Verdict.OK


def test_scaling_that_ends_below_the_load_is_not_the_modes_fault(world: World) -> None:
    world.table = PROVISIONED
    scaled(world)
    world.series = {"write_throttles": [50], "writes": [2400]}  # 40 units/s: the maximum
    assert judged(world, "dynamodb-throttling/capacity-mode").judgement.verdict is Verdict.OK
    assert judged(world, SLOW).judgement.verdict is Verdict.FAIL


def test_a_table_throttled_on_demand_is_provisioned_for_its_peak(world: World) -> None:
    world.series = {"write_throttles": [50], "writes": [90_000]}  # 1,500 units/s
    report = assert_root(world, "dynamodb-throttling/capacity-mode", Verdict.FAIL, SLOW)
    plan = report.findings[0].plan
    assert plan is not None
    update = plan.actions[0].call
    assert (update.operation, update.parameters["BillingMode"]) == ("dynamodb:UpdateTable", "PROVISIONED")
    assert update.parameters["ProvisionedThroughput"]["WriteCapacityUnits"] == 2143  # 1,500 at 70 %
    assert len(plan.actions) == 5  # and reads and writes scale from there


def test_a_plan_that_raises_the_bill_says_so(world: World) -> None:
    world.series = {"write_throttles": [50], "writes": [90_000]}
    world.table = world.table | {"GlobalSecondaryIndexes": [{"IndexName": "status"}]}
    text = terminal.render(diagnose(target(), world), terminal.Style(), plans=True)
    shown = " ".join(text.split())
    assert "by the hour, whether used or not" in shown
    # 2,143 units of the table and as many of its index, 730 hours a month; at least 5 reads of each.
    assert "10 read units (7,300 unit-hours a month) and 4,286 write units (3,128,780 unit-hours" in shown
    assert "./inv cost" in shown


def test_a_plan_that_lets_a_table_scale_says_how_far(world: World) -> None:
    world.table = PROVISIONED
    report = assert_root(world, "dynamodb-throttling/autoscaling-off", Verdict.WARN)
    plan = report.findings[0].plan
    assert plan is not None
    assert "10 read units (7,300 unit-hours a month) and 10 write units (7,300" in plan.bill
    assert "10 times" in plan.bill


def test_a_plan_that_lifts_a_maximum_says_what_is_billed_then(world: World) -> None:
    world.table = world.table | {"OnDemandThroughput": {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 4}}
    world.series = {"capped_writes": [12], "writes": [240]}
    plan = diagnose(target(), world).findings[0].plan
    assert plan is not None
    assert "every request" in plan.bill


def test_a_maximum_of_its_own_is_lifted(world: World) -> None:
    world.table = world.table | {"OnDemandThroughput": {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 4}}
    world.series = {"capped_writes": [12], "writes": [240]}
    report = assert_root(world, "dynamodb-throttling/capacity-mode", Verdict.FAIL, SLOW)
    plan = report.findings[0].plan
    assert plan is not None
    assert plan.actions[0].undo is not None
    assert plan.actions[0].undo.parameters["OnDemandThroughput"]["MaxWriteRequestUnits"] == 4


def test_a_partition_that_dynamodb_names_is_a_failure(world: World) -> None:
    world.series = {"hot_writes": [30], "write_throttles": [30], "writes": [6000]}
    for number in range(25):
        world.add_job("COMPLETED", tenantId="big" if number else "small")
    report = assert_root(world, "dynamodb-throttling/hot-partition", Verdict.FAIL, SLOW)
    assert "tenant big" in report.findings[0].judgement.summary


def test_a_partition_that_is_only_inferred_is_a_warning(world: World) -> None:
    world.series = {"write_throttles": [30], "writes": [6000]}
    for _ in range(25):
        world.add_job("COMPLETED", tenantId="big")
    judgement = judged(world, "dynamodb-throttling/hot-partition").judgement
    assert (judgement.verdict, judgement.direct) == (Verdict.WARN, False)
    assert "does not say" in judgement.summary
    assert judged(world, "dynamodb-throttling/capacity-mode").judgement.verdict is Verdict.OK


def test_retries_are_judged_by_the_definition(world: World) -> None:
    for settings, verdict in (
        ({"AWS_MAX_ATTEMPTS": "1"}, Verdict.WARN),
        ({"AWS_RETRY_MODE": "legacy"}, Verdict.WARN),
        ({"AWS_RETRY_MODE": "adaptive"}, Verdict.OK),
    ):
        broken = World()
        broken.environment |= settings
        broken.put_control_plane(7)
        found = judged(broken, "dynamodb-throttling/retries-without-backoff")
        assert found.judgement.verdict is verdict, settings
    world.environment |= {"AWS_MAX_ATTEMPTS": "1"}
    world.put_control_plane(7)
    report = assert_root(world, "dynamodb-throttling/retries-without-backoff", Verdict.WARN)
    assert operations(report) == ["ecs:RegisterTaskDefinition", "ecs:UpdateService"]


def test_a_load_that_is_not_throttled_is_no_finding(world: World) -> None:
    world.series = {"writes": [600_000] * 5, "write_throttles": [0] * 5}
    for cause in ("autoscaling-off", "capacity-mode", "hot-partition", "retries-without-backoff"):
        assert judged(world, f"dynamodb-throttling/{cause}").judgement.verdict is Verdict.OK
