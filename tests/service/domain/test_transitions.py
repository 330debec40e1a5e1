"""Guards of the state machine that only a race gets to; the interleavings try the rest."""

import pytest

from outpost.agents import Agent
from outpost.dispatch import Status
from service.domain.events import LaunchRefused, WorkerClaimed, WorkerFinished
from service.domain.job import Job, Reason
from service.domain.policy import Policy
from service.domain.transitions import FENCED, decide

NOW = 1_770_000_000.0
JOB = Job(
    tenant_id="acme", dispatch_id="d", agent=Agent.CLAUDE, created_at=NOW, timeout_seconds=60, attempt=2
)


@pytest.mark.parametrize(
    ("status", "attempt"), [(Status.PROVISIONING, 1), (Status.RUNNING, 1), (Status.PENDING, 2)]
)
def test_a_worker_of_an_attempt_that_is_over_claims_nothing(status: Status, attempt: int) -> None:
    job = JOB.changed(status=status)
    decision = decide(job, WorkerClaimed(attempt=attempt), NOW, Policy())
    assert (decision.job, decision.refusal) == (job, FENCED)


@pytest.mark.parametrize(
    ("status", "attempt"), [(Status.RUNNING, 1), (Status.PENDING, 2), (Status.PROVISIONING, 2)]
)
def test_a_worker_of_an_attempt_that_is_over_reports_nothing(status: Status, attempt: int) -> None:
    job = JOB.changed(status=status)
    decision = decide(job, WorkerFinished(attempt=attempt, exit_code=0), NOW, Policy())
    assert (decision.job, decision.refusal) == (job, FENCED)


def test_what_is_refused_again_and_again_ends_when_its_time_is_over() -> None:
    """Each try moves the deadline on, so the sweep never sees it overdue."""
    policy, reason = Policy(), Reason(code="capacity", summary="none")
    job, now = JOB.changed(status=Status.PROVISIONING), NOW
    while not job.status.terminal:
        job = decide(job, LaunchRefused(attempt=job.attempt, reason=reason), now, policy).job
        now += policy.backoff_max
        assert now < NOW + policy.max_pending + 2 * policy.backoff_max
        if job.status is Status.PENDING:
            job = job.changed(status=Status.PROVISIONING)
    assert (job.status, job.reason) == (Status.FAILED, reason)
