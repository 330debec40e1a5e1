"""Fault by check: each fault is ranked first, lights nothing unrelated, and is gone once mended.

The matrix has a test file, and so a region, for each part, and the parts take about as long as each other:
a run on several cores takes them at once.
"""

from __future__ import annotations

from runbooks.model import Verdict
from runbooks.run import Report
from tests.runbooks.faults.catalogue import FAULTS, below
from tests.runbooks.faults.stack import Stack, injected

# In the order of the tests: callers leave the control plane running, which memory-exhausted wants old.
PARTS = {
    "control plane": (
        *("client-failing", "forbidden", "unauthorized", "mcp-not-connecting"),
        *("health-check-failing", "control-plane-not-starting", "slow-responses"),
    ),
    "agents": (
        *("agent-timeout", "agent-no-changes", "agent-fails-immediately"),
        *("dispatch-stuck-pending", "high-cold-start"),
    ),
    "resources": ("dynamodb-throttling", "s3-access-denied", "efs-mount-failure", "memory-pressure"),
}
LONG_LIVED = "health-check-failing/memory-exhausted"


def keys(part: str) -> list[str]:
    """The part's causes, in the order of their tests."""
    found = [key for issue in PARTS[part] for key, fault in FAULTS.items() if fault.issue == issue]
    if LONG_LIVED in found:
        first = next(at for at, key in enumerate(found) if FAULTS[key].issue == FAULTS[LONG_LIVED].issue)
        found.remove(LONG_LIVED)
        found.insert(first, LONG_LIVED)
    return found


def seen(report: Report) -> dict[str, str]:
    """What was found, to be read when a test fails."""
    return {f.cause.key: f"{f.verdict.value} {f.judgement.summary}" for f in report.findings}


def assert_healthy(stack: Stack) -> None:
    """Nothing is found at all."""
    report = stack.diagnose()
    assert (seen(report), report.exit_code) == ({}, 0)


def assert_told_and_mended(stack: Stack, key: str) -> None:
    """Put the fault in: its cause comes first, nothing unrelated is lit, the remedy mends it for good."""
    fault = FAULTS[key]
    with injected(stack, fault):
        report = stack.diagnose(since=fault.since)
        found = seen(report)
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
            assert after.verdict == "healthy", seen(after)
    assert_healthy(stack)
