"""Fault by check: each fault is ranked first, lights nothing unrelated, and is gone once mended."""

import pytest

from local.testing import LocalRegion
from runbooks.model import Verdict
from tests.runbooks.faults.catalogue import FAULTS, below
from tests.runbooks.faults.stack import Stack, injected

pytestmark = [pytest.mark.region, pytest.mark.xdist_group("faults")]


@pytest.fixture(scope="module")
def stack(region: LocalRegion) -> Stack:
    """The shared region's stack, steady."""
    stack = Stack(region)
    stack.steady()
    return stack


def test_healthy_region_gives_nothing(stack: Stack) -> None:
    report = stack.diagnose()
    assert [(f.cause.key, f.judgement.summary) for f in report.findings] == []
    assert report.exit_code == 0


@pytest.mark.parametrize("key", FAULTS)
def test_fault(stack: Stack, key: str) -> None:
    fault = FAULTS[key]
    with injected(stack, fault):
        report = stack.diagnose(since=fault.since)
        found = {f.cause.key: f"{f.verdict.value} {f.judgement.summary}" for f in report.findings}
        assert report.findings, "nothing was found"
        first = report.findings[0]
        assert first.cause.key == key, found
        assert first.verdict in (Verdict.FAIL, Verdict.WARN)
        assert first.judgement.evidence
        assert report.lit <= {key, *below(key), *fault.also}, found
        assert (first.plan is not None) == (fault.mended or fault.planned), found
        if fault.mended:
            done, after = stack.mend(report, fault.since)
            assert (done[0].cause.key, done[0].outcome, done[0].detail) == (key, "mended", "")
            assert key not in after.lit
            assert after.verdict == "healthy", [(f.cause.key, f.judgement.summary) for f in after.findings]
    report = stack.diagnose()
    assert report.verdict == "healthy", [(f.cause.key, f.judgement.summary) for f in report.findings]
