"""The simulation of a loaded day, in small: nothing lost, the quiet wait for nobody, limits are respected."""

import pytest

from benchmarks.scale import Simulation, percentile
from service import log


@pytest.fixture(autouse=True)
def _quiet() -> None:
    log.silence_metrics()


def test_bursts_of_one_tenant_do_not_delay_the_others() -> None:
    outcome = Simulation(total=3000, seconds=300, tenants=20, vcpus=100_000).run()
    assert outcome.accepted == outcome.ended
    assert outcome.lost == 0
    others = [wait for tenant, waits in outcome.waits.items() if tenant != "t0" for wait in waits]
    assert percentile(others, 0.99) <= 2
    assert percentile(outcome.waits["t0"], 0.99) >= percentile(others, 0.99)


def test_a_small_quota_makes_them_wait_and_loses_none() -> None:
    outcome = Simulation(total=400, seconds=100, tenants=5, vcpus=60).run()
    assert outcome.vcpu_refusals > 0
    assert outcome.peak_vcpus <= 60
    assert outcome.accepted == outcome.ended
