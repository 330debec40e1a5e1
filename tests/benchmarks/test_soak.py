"""The soak in short: whatever is killed, lost, doubled and throttled meanwhile, its every check is kept."""

from pathlib import Path

import pytest

from benchmarks.soak.chaos import SQUALL
from benchmarks.soak.ledger import PLANS, Blow, Entry, Ledger, Plan
from benchmarks.soak.run import Soak, show
from local.testing import LocalRegion
from outpost.dispatch import Status

CHANGE, FAILS = PLANS[0], next(plan for plan in PLANS if plan.ends is Status.FAILED)


@pytest.mark.region
def test_a_short_soak_keeps_every_check(fresh_region: LocalRegion, tmp_path: Path) -> None:
    soak = Soak(fresh_region, tmp_path, seconds=15, per_second=1.2, weather=SQUALL, quick=True)
    checks = soak.run()
    assert all(check.kept for check in checks), show(checks, soak.ledger)
    assert len(soak.ledger.entries) >= 5
    assert soak.ledger.counts["control planes killed"] + soak.ledger.counts["control planes terminated"] >= 1


@pytest.mark.parametrize(
    ("plan", "blows", "status", "exit_code", "wrong"),
    [
        (CHANGE, set(), "COMPLETED", 0, ""),
        (CHANGE, set(), "", None, "has not ended"),
        (CHANGE, set(), "FAILED", 1, "ended FAILED with 1"),
        (CHANGE, {Blow.KILLED}, "FAILED", 137, ""),
        (CHANGE, {Blow.KILLED}, "COMPLETED", 0, ""),  # it had reported already, or was launched again
        (CHANGE, {Blow.KILLED}, "FAILED", 143, "killed ended FAILED with 143"),
        (CHANGE, {Blow.INTERRUPTED}, "FAILED", 143, ""),
        (CHANGE, {Blow.CANCELLED, Blow.KILLED}, "FAILED", 137, "was cancelled, but is FAILED"),
        (CHANGE, set(), "CANCELLED", None, "ended CANCELLED"),
        (FAILS, set(), "FAILED", 1, ""),
        (FAILS, set(), "COMPLETED", 0, "ended COMPLETED"),
    ],
)
def test_which_end_is_right(
    plan: Plan, blows: set[Blow], status: str, exit_code: int | None, wrong: str
) -> None:
    said = Entry("acme", "01J", plan, blows=blows, status=status, exit_code=exit_code).wrong()
    assert wrong in said
    assert bool(said) == bool(wrong)


def test_an_end_that_changes_is_found() -> None:
    ledger = Ledger()
    ledger.accepted(Entry("acme", "01J", CHANGE))
    for status in ("RUNNING", "COMPLETED", "COMPLETED"):
        ledger.seen({"dispatchId": "01J", "status": status})
    assert ledger.findings == []
    ledger.seen({"dispatchId": "01J", "status": "FAILED"})
    assert ledger.findings == ["01J was COMPLETED, then FAILED"]
