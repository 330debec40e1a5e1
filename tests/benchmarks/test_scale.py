"""The simulation of a loaded day, in small: nothing lost, the quiet wait for nobody, limits are respected."""

import pytest

from benchmarks.scale.limits import Bucket, Gauge
from benchmarks.scale.report import broken, show
from benchmarks.scale.simulation import BURSTING, Simulation, percentile
from outpost.dispatch import Status
from service import log
from tests.service.fakes import FakeClock


@pytest.fixture(autouse=True)
def _quiet() -> None:
    log.silence_metrics()


def test_bursts_of_one_tenant_do_not_delay_the_others() -> None:
    simulation = Simulation(total=3000, seconds=200, tenants=20, vcpus=100_000)
    outcome = simulation.run()
    assert broken(simulation) == []
    assert outcome.accepted == outcome.ended.total()
    assert outcome.ended[Status.CANCELLED] > 0
    assert outcome.ended[Status.FAILED] > 0  # the tasks that died, also those whose event was lost
    assert percentile(simulation.others, 0.99) <= 3
    assert percentile(outcome.waits[BURSTING], 0.99) > percentile(simulation.others, 0.99)
    assert "raise first: RunTask's rate" in show(simulation, 0)


def test_a_small_quota_makes_them_wait_and_loses_none() -> None:
    simulation = Simulation(total=400, seconds=100, tenants=5, vcpus=60)
    outcome = simulation.run()
    assert simulation.tasks.refusals["no vCPUs"] > 0
    assert simulation.tasks.peak <= 60
    assert outcome.accepted == outcome.ended.total() >= 390  # about total: arrivals are drawn
    assert "raise first: the Fargate vCPU quota" in show(simulation, 0)
    assert [what.partition(" waited")[0] for what in broken(simulation)] == ["the quiet tenants"]


def test_what_is_lost_is_told() -> None:
    simulation = Simulation(total=20, seconds=10, tenants=2, vcpus=60)
    outcome = simulation.run()
    outcome.accepted += 1
    outcome.expired = 2
    assert broken(simulation) == ["1 dispatches were lost", "2 dispatches ended without a launch"]


def test_posts_over_a_tenants_limit_come_again() -> None:
    simulation = Simulation(total=20, seconds=10, tenants=2, vcpus=60)
    quiet = simulation.keys[1]
    for _ in range(1300):  # the stack's limit is 1,200 a minute and 1,000 active
        simulation.post(quiet)
    outcome = simulation.run()
    assert outcome.refused >= 300
    assert outcome.accepted == outcome.ended.total() >= 1300


def test_a_bucket_allows_its_burst_and_then_its_rate() -> None:
    clock = FakeClock()
    bucket = Bucket(20, 100, clock)
    assert sum(bucket.take() for _ in range(150)) == 100
    clock.advance(1)
    assert sum(bucket.take() for _ in range(150)) == 20


def test_a_gauge_knows_the_hottest_key() -> None:
    clock = FakeClock()
    gauge = Gauge(10, clock)
    gauge.add("a", 4)
    gauge.add("b", 9)
    assert gauge.exceeded("b", 2)
    clock.advance(1)
    gauge.add("a", 12)
    clock.advance(1)
    gauge.close()
    assert (gauge.peak, gauge.peak_of, gauge.seconds_full) == (12, "a", 1)
