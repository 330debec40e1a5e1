"""Throttles count from the last change of the table's mode or capacity on, and what is left out is told."""

from datetime import timedelta
from typing import Any

import pytest

from runbooks.model import Verdict
from tests.runbooks.judging import judged
from tests.runbooks.world import NOW, World, scalable

SLOW, MODE = "slow-responses/dynamodb-throttled", "dynamodb-throttling/capacity-mode"
CAUSES = (SLOW, MODE, "dynamodb-throttling/hot-partition")
LATER = NOW + timedelta(minutes=10)
CHANGED = NOW + timedelta(seconds=90)  # within the second of the world's minutes


def on_demand(**more: Any) -> dict[str, Any]:
    summary = {"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": CHANGED}
    return {"BillingModeSummary": summary} | more


def provisioned(**more: Any) -> dict[str, Any]:
    return {
        "BillingModeSummary": {"BillingMode": "PROVISIONED"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10} | more,
    }


@pytest.mark.parametrize(
    "table",
    [on_demand(), provisioned(LastIncreaseDateTime=CHANGED), provisioned(LastDecreaseDateTime=CHANGED)],
    ids=["on demand", "more", "less"],
)
def test_what_was_throttled_before_the_change_is_told_and_does_not_count(
    world: World, table: dict[str, Any]
) -> None:
    world.table = table
    world.series = {"write_throttles": [7, 5], "hot_writes": [7, 5]}  # the change is within the second
    for key in CAUSES:
        judgement = judged(world, key, now=LATER).judgement
        assert judgement.verdict is not Verdict.FAIL, key
        told = [e for e in judgement.evidence if e.saw.startswith("12 throttled before")]
        assert told, key
        assert "2026-01-14 12:01:30" in told[0].saw
    world.series["write_throttles"].append(3)
    judgement = judged(world, SLOW, now=LATER).judgement
    assert judgement.verdict is Verdict.FAIL
    assert judgement.summary.startswith("3 requests throttled")
    assert any(e.saw.startswith("12 throttled before") for e in judgement.evidence)


def test_the_last_of_several_changes_counts(world: World) -> None:
    world.table = provisioned(LastIncreaseDateTime=CHANGED, LastDecreaseDateTime=NOW)
    world.series = {"throttled": [4]}
    assert judged(world, SLOW, now=LATER).judgement.verdict is Verdict.OK


def test_a_maximum_that_was_lifted_throttles_no_more(world: World) -> None:
    world.series = {"capped_writes": [12], "write_throttles": [12]}
    for key in (SLOW, MODE):
        judgement = judged(world, key, now=LATER).judgement
        assert judgement.verdict is Verdict.OK
        assert any("12 throttled by a maximum" in e.saw for e in judgement.evidence)


@pytest.mark.parametrize("rate", [10, 50, 1_500, 5_000])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_provisioned_table_that_throttles_gets_more_and_is_never_sent_back(
    world: World, rate: int, scaled: bool
) -> None:
    """On demand that throttles goes to provisioned; so no cause may send provisioned to on demand."""
    world.table = provisioned()
    if scaled:
        dimensions = ("dynamodb:table:ReadCapacityUnits", "dynamodb:table:WriteCapacityUnits")
        world.scaling["dynamodb"] = [scalable(dimension, 5) | {"MaxCapacity": 10} for dimension in dimensions]
    world.series = {"write_throttles": [50], "writes": [rate * 60]}
    found = judged(world, SLOW, now=LATER)
    told = " ".join([found.cause.steps, *(e.expected for e in found.judgement.evidence)])
    assert "PAY_PER_REQUEST" not in told
    assert "stay provisioned" in told
    assert judged(world, MODE, now=LATER).judgement.verdict is Verdict.OK


def test_both_causes_name_the_same_capacity_for_a_table_on_demand(world: World) -> None:
    world.series = {"write_throttles": [50], "writes": [90_000]}
    for key in (SLOW, MODE):
        expected = [e.expected for e in judged(world, key, now=LATER).judgement.evidence]
        assert any("2143 writes/s" in text for text in expected), key


@pytest.mark.parametrize("key", CAUSES)
def test_right_after_a_change_it_is_unknown_whether_it_still_throttles(world: World, key: str) -> None:
    """One is not to read "healthy" because nothing has been measured yet."""
    world.table = on_demand()
    world.series = {"write_throttles": [7, 5]}
    assert judged(world, key, now=CHANGED + timedelta(seconds=30)).judgement.verdict is Verdict.UNKNOWN
    assert judged(world, key, now=LATER).judgement.verdict is Verdict.OK
    world.table = on_demand(BillingModeSummary={"BillingMode": "PAY_PER_REQUEST"})
    assert judged(world, key, now=LATER).judgement.verdict is not Verdict.UNKNOWN


def test_a_table_that_had_stopped_throttling_before_the_change_is_not_unknown(world: World) -> None:
    world.table = on_demand()
    world.table["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] = NOW + timedelta(minutes=8)
    world.series = {"write_throttles": [7, 5]}
    now = NOW + timedelta(minutes=8, seconds=5)
    assert judged(world, SLOW, now=now).judgement.verdict is Verdict.OK


def test_a_plan_is_the_same_while_the_present_minute_goes_on(world: World) -> None:
    """The sum of a minute that is not over grows: a plan made for it would never be the one approved."""
    world.series = {"write_throttles": [50, 50], "writes": [90_000, 20_000]}
    now = NOW + timedelta(seconds=90)
    first = judged(world, MODE, now=now).plan
    world.series["writes"][1] = 95_000
    second = judged(world, MODE, now=now + timedelta(seconds=20)).plan
    assert first is not None
    assert second is not None
    assert first.id == second.id
