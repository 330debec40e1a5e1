"""The state machine: `decide(job, event, now, policy)` and nothing else changes a dispatch.

It is pure, so that any interleaving of events, losses and repetitions can be tried without AWS. The store
writes each decision on condition of the version it was made from; whoever loses that race reads again and
decides again.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from outpost import failure
from outpost.dispatch import Status
from outpost.exit_codes import WorkerExit
from service.domain.events import (
    CancelRequested,
    DeadlinePassed,
    Decision,
    Effect,
    Ended,
    Enqueue,
    Event,
    LaunchClaimed,
    Launched,
    LaunchRefused,
    Refusal,
    Seen,
    StopTask,
    TaskStopped,
    WorkerClaimed,
    WorkerFinished,
)
from service.domain.job import Job, Reason
from service.domain.policy import Policy

FENCED = Refusal(code="attempt-fenced", message="This attempt is no longer the dispatch's current one.")
ENDED = Refusal(code="dispatch-ended", message="The dispatch has ended.")
CANCELLING = Refusal(code="dispatch-cancelling", message="The dispatch is being cancelled.")
LOST = Reason(
    code="task-lost",
    summary="The task disappeared and ECS no longer knows why.",
    remedy="Dispatch it again; diagnose shows whether the cluster is losing tasks.",
)
CANCELLED = Reason(code="cancelled", summary="Cancelled on request.")


def decide(job: Job, event: Event, now: float, policy: Policy) -> Decision:
    """What the dispatch becomes by `event` at `now`, and what has to follow."""
    handler: Callable[[Job, Any, float, Policy], Decision] = _HANDLERS[type(event)]
    return handler(job, event, now, policy)


def _claim(job: Job, event: LaunchClaimed, now: float, policy: Policy) -> Decision:
    if job.status is not Status.PENDING:
        return Decision(job=job)
    if job.launch_after is not None and now < job.launch_after:
        # The message that was sent for then is still to come. Only what came a moment early is sent again:
        # repeated messages would each live on until the launch.
        early = job.launch_after - now
        return Decision(job=job, effects=(Enqueue(delay=early),) if early <= policy.early else ())
    return Decision(
        job=job.changed(
            status=Status.PROVISIONING,
            attempt=job.attempt + 1,
            attempt_at=now,
            task_arn=None,
            launch_after=None,
            deadline_at=now + policy.provisioning_check,
        )
    )


def _launched(job: Job, event: Launched, now: float, policy: Policy) -> Decision:
    stop = StopTask(arn=event.arn, reason="Outpost: the dispatch does not want this task any more")
    if job.status.terminal or event.attempt != job.attempt or job.status is Status.PENDING:
        return Decision(job=job, effects=() if job.task_arn == event.arn else (stop,))
    effects = (stop,) if job.status is Status.CANCELLING else ()
    if job.task_arn == event.arn:
        return Decision(job=job, effects=effects)
    changes: dict[str, Any] = {"task_arn": event.arn}
    if job.status is Status.PROVISIONING:
        changes |= {"waiting_reason": None, "deferrals": 0}
    return Decision(job=job.changed(**changes), effects=effects)


def _refused(job: Job, event: LaunchRefused, now: float, policy: Policy) -> Decision:
    if event.attempt != job.attempt:
        return Decision(job=job)
    if job.status is Status.CANCELLING and job.task_arn is None:
        return _end(job, Status.CANCELLED, now, policy, reason=CANCELLED)
    if job.status is not Status.PROVISIONING:
        return Decision(job=job)
    return _wait(job, event.reason, now, policy, deferrals=job.deferrals + 1)


def _wait(job: Job, reason: Reason, now: float, policy: Policy, **changes: Any) -> Decision:
    """Back to PENDING, to be launched again after a while, with the reason visible; its end if it is too old.

    Each try moves the deadline on, so what is tried again and again would never be looked at as overdue.
    """
    if now - job.created_at >= policy.max_pending:
        return _end(job, Status.FAILED, now, policy, reason=reason, **changes)
    refusals = max(0, changes.get("deferrals", 0) + changes.get("start_failures", 0) - 1)
    delay = policy.backoff(refusals, f"{job.dispatch_id}-{job.attempt}")
    waiting = job.changed(
        status=Status.PENDING,
        waiting_reason=reason,
        task_arn=None,
        launch_after=now + delay,
        queued_at=now + delay,
        deadline_at=now + delay + policy.pending_check,
        **changes,
    )
    return Decision(job=waiting, effects=(Enqueue(delay=delay),))


def _worker_claimed(job: Job, event: WorkerClaimed, now: float, policy: Policy) -> Decision:
    if job.status.terminal:
        return Decision(job=job, refusal=ENDED)
    if event.attempt != job.attempt or job.status is Status.PENDING:
        return Decision(job=job, refusal=FENCED)
    if job.status is Status.CANCELLING:
        return Decision(job=job, refusal=CANCELLING)
    if job.status is Status.RUNNING:
        return Decision(job=job)
    running = job.changed(
        status=Status.RUNNING, started_at=now, waiting_reason=None, deferrals=0, deadline_at=None
    )
    return Decision(job=_watched(running, now, policy))


def _time_limit(job: Job, policy: Policy) -> float:
    return (job.started_at or job.created_at) + job.timeout_seconds + policy.timeout_grace


def _watched(job: Job, now: float, policy: Policy) -> Job:
    """A running job is looked at every few minutes and at the end of its time."""
    return replace(job, deadline_at=min(_time_limit(job, policy), now + policy.running_check))


def _worker_finished(job: Job, event: WorkerFinished, now: float, policy: Policy) -> Decision:
    if event.attempt != job.attempt:
        return Decision(job=job, refusal=FENCED)
    if job.status.terminal:
        return Decision(job=job, refusal=ENDED)
    if job.status is Status.CANCELLING:
        return Decision(job=job)  # the container's end is still to be proven
    if job.status is not Status.RUNNING:
        return Decision(job=job, refusal=FENCED)
    return _end(
        job,
        _status_of(event.exit_code),
        now,
        policy,
        exit_code=event.exit_code,
        reason=event.reason,
        summary=event.summary,
        changes=event.changes,
        artifacts=event.artifacts,
    )


def _status_of(exit_code: int | None) -> Status:
    if exit_code == WorkerExit.COMPLETED:
        return Status.COMPLETED
    return Status.TIMEOUT if exit_code == WorkerExit.TIMEOUT else Status.FAILED


def _stopped(job: Job, event: TaskStopped, now: float, policy: Policy) -> Decision:
    if event.attempt != job.attempt:
        return Decision(job=job)
    evidence = event.evidence
    if job.status.terminal:
        # The state is final; what explains it is still worth keeping, once.
        if job.status is Status.COMPLETED or job.stopped_evidence is not None:
            return Decision(job=job)
        return Decision(job=job.changed(stopped_evidence=evidence))
    if job.status is Status.PENDING:
        return Decision(job=job)
    facts: dict[str, Any] = {
        "stopped_evidence": evidence,
        "task_arn": job.task_arn or evidence.task_arn or None,
        "exit_code": evidence.exit_code,
    }
    if job.status is Status.CANCELLING:
        return _end(job, Status.CANCELLED, now, policy, reason=CANCELLED, **facts)
    started = job.status is Status.RUNNING
    why = failure.classify(evidence.end(log_tail=event.log_tail, agent_started=started))
    if started:
        reason = Reason.of(why) if why else None
        return _end(job, _status_of(evidence.exit_code), now, policy, reason=reason, **facts)
    return _never_claimed(job, why, facts, now, policy)


def _never_claimed(
    job: Job, why: failure.Failure | None, facts: dict[str, Any], now: float, policy: Policy
) -> Decision:
    """The task is gone and its worker never asked for its assignment, so nothing it did can be repeated."""
    reason = Reason.of(why) if why else LOST
    failures = job.start_failures + 1
    # A container that ended well without a claim is as good as one that was lost.
    if (why is None or why.may_relaunch) and failures < policy.max_start_failures:
        return _wait(
            job, reason, now, policy, start_failures=failures, stopped_evidence=facts["stopped_evidence"]
        )
    return _end(job, Status.FAILED, now, policy, reason=reason, start_failures=failures, **facts)


def _cancel(job: Job, event: CancelRequested, now: float, policy: Policy) -> Decision:
    if job.status in (Status.CANCELLED, Status.CANCELLING):
        return Decision(job=job)
    if job.status.terminal:
        return Decision(job=job, refusal=ENDED)
    if job.status is Status.PENDING:
        return _end(job, Status.CANCELLED, now, policy, reason=CANCELLED, cancel_reason=event.reason)
    cancelling = job.changed(
        status=Status.CANCELLING, cancel_reason=event.reason, deadline_at=now + policy.cancel_check
    )
    return Decision(job=cancelling, effects=_stop(job, "cancelled"))


def _stop(job: Job, why: str) -> tuple[StopTask, ...]:
    return (StopTask(arn=job.task_arn, reason=f"Outpost: {why}"),) if job.task_arn else ()


def _deadline(job: Job, event: DeadlinePassed, now: float, policy: Policy) -> Decision:
    if job.status.terminal or job.deadline_at is None or now < job.deadline_at:
        return Decision(job=job)
    view = event.view
    if job.status is not Status.PENDING and view.seen is Seen.STOPPED and view.evidence is not None:
        stopped = TaskStopped(attempt=job.attempt, evidence=view.evidence, log_tail=view.log_tail)
        return _stopped(job, stopped, now, policy)
    return _OVERDUE[job.status](job, event, now, policy)


def _pending_overdue(job: Job, event: DeadlinePassed, now: float, policy: Policy) -> Decision:
    age = now - job.created_at
    waiting = event.waiting or job.waiting_reason
    if age >= policy.max_pending:
        reason = waiting or Reason(
            code="never-launched",
            summary=f"No launch succeeded within {int(policy.max_pending)} seconds.",
            remedy="Look at the launch queue and the control plane's log.",
            issue="dispatch-stuck-pending",
        )
        return _end(job, Status.FAILED, now, policy, reason=reason)
    looked = {"deadline_at": now + policy.pending_interval(age), "waiting_reason": waiting}
    queued_at = job.queued_at or job.created_at
    if event.read_to is None or event.read_to < queued_at + policy.queue_disorder:
        # Its message is still in the queue. Another one for each look would bury the queue (ADR 0029).
        return Decision(job=job.changed(**looked))
    return Decision(job=job.changed(**looked, queued_at=now), effects=(Enqueue(),))


def _provisioning_overdue(job: Job, event: DeadlinePassed, now: float, policy: Policy) -> Decision:
    view = event.view
    age = now - (job.attempt_at or job.created_at)
    later = {"deadline_at": now + policy.provisioning_check}
    if view.seen is Seen.MISSING and job.task_arn is not None:
        return _never_claimed(job, None, {"exit_code": None, "stopped_evidence": None}, now, policy)
    if age >= policy.max_provisioning and view.seen is not Seen.UNKNOWN:
        reason = Reason(
            code="start-timed-out",
            summary=f"The container did not fetch its assignment within {int(policy.max_provisioning)} s.",
            remedy="Check the workers' route to the control plane and the size of the image.",
            issue="dispatch-stuck-pending",
            cause="egress-blocked",
        )
        late = job.changed(task_arn=job.task_arn or view.arn)
        failures = job.start_failures + 1
        if failures < policy.max_start_failures:
            decision = _wait(job, reason, now, policy, start_failures=failures)
        else:
            decision = _end(job, Status.FAILED, now, policy, reason=reason, start_failures=failures)
        return Decision(job=decision.job, effects=(*decision.effects, *_stop(late, "start timed out")))
    if view.seen is Seen.ACTIVE:
        return Decision(job=job.changed(task_arn=job.task_arn or view.arn, **later))
    # No task was seen and none was recorded: the launcher died in between. The same attempt is launched
    # again with the same client token, which gives the same task if there is one.
    effects: tuple[Effect, ...] = (Enqueue(),) if job.task_arn is None else ()
    return Decision(job=job.changed(**later), effects=effects)


def _running_overdue(job: Job, event: DeadlinePassed, now: float, policy: Policy) -> Decision:
    view = event.view
    arn = job.task_arn or view.arn
    if view.seen is Seen.MISSING:
        return _end(job, Status.FAILED, now, policy, reason=LOST)
    if now >= _time_limit(job, policy):
        reason = Reason(
            code="timeout",
            summary=f"Still running {int(policy.timeout_grace)} s past its limit of {job.timeout_seconds} s.",
            remedy="Break the task into smaller ones, or raise timeoutSeconds.",
            issue="agent-timeout",
        )
        ended = _end(job, Status.TIMEOUT, now, policy, reason=reason, task_arn=arn)
        return Decision(job=ended.job, effects=(*ended.effects, *_stop(ended.job, "time limit")))
    return Decision(job=_watched(job.changed(task_arn=arn), now, policy))


def _cancelling_overdue(job: Job, event: DeadlinePassed, now: float, policy: Policy) -> Decision:
    view = event.view
    unseen_for = now - (job.attempt_at or job.created_at)
    if view.seen is Seen.MISSING and (job.task_arn is not None or unseen_for >= policy.cancel_unseen):
        return _end(job, Status.CANCELLED, now, policy, reason=CANCELLED)
    again = job.changed(task_arn=job.task_arn or view.arn, deadline_at=now + policy.cancel_check)
    return Decision(job=again, effects=_stop(again, "cancelled"))


def _end(job: Job, status: Status, now: float, policy: Policy, **facts: Any) -> Decision:
    ended = job.changed(
        status=status,
        ended_at=now,
        # With a webhook it stays in the index of deadlines until that is delivered.
        deadline_at=now + policy.webhook_check if job.webhook_url else None,
        launch_after=None,
        waiting_reason=None,
        expires_at=now + policy.retention,
        **facts,
    )
    return Decision(job=ended, effects=(Ended(),))


_OVERDUE: dict[Status, Callable[[Job, DeadlinePassed, float, Policy], Decision]] = {
    Status.PENDING: _pending_overdue,
    Status.PROVISIONING: _provisioning_overdue,
    Status.RUNNING: _running_overdue,
    Status.CANCELLING: _cancelling_overdue,
}

_HANDLERS: dict[type, Callable[[Job, Any, float, Policy], Decision]] = {
    LaunchClaimed: _claim,
    Launched: _launched,
    LaunchRefused: _refused,
    WorkerClaimed: _worker_claimed,
    WorkerFinished: _worker_finished,
    TaskStopped: _stopped,
    CancelRequested: _cancel,
    DeadlinePassed: _deadline,
}
