"""Causes that lie in what an agent did: judged by the reason on the job, or else by its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from outpost.dispatch import Status
from outpost.failure import Failure, TaskEnd, classify, no_changes
from outpost.names import log_group
from runbooks.by_hand import dispatch_again, read_log
from runbooks.model import Evidence, Judgement, fail, ok, supporting, warn
from runbooks.observations import Region
from runbooks.observations.dispatches import Job

LOGS_READ = 10  # workers' logs read in one run, newest first: of jobs whose record has no cause
SHOWN = 3  # dispatches given as evidence


def unresolved(region: Region, issue: str, cause: str) -> list[tuple[Job, str]]:
    """Jobs that failed for a cause, newest first, each with the words that show it."""
    found = []
    logs_left = LOGS_READ
    for job in region.dispatches.unresolved():
        if job.cause or job.issue:
            if (job.issue, job.cause) == (issue, cause):
                found.append((job, job.reason))
        elif logs_left and job.agent and job.task_id:
            logs_left -= 1
            failure = classify(_end(region, job))
            if failure and (failure.issue, failure.cause) == (issue, cause):
                found.append((job, failure.evidence or failure.summary))
    return found


def unchanged(region: Region, cause: str) -> list[tuple[Job, str]]:
    """Jobs that ended well without a change, for a cause that their record or their log tells."""
    found = []
    logs_left = LOGS_READ
    for job in region.dispatches.unchanged():
        if job.cause:
            if job.cause == cause:
                found.append((job, job.reason))
        elif logs_left and job.agent and job.task_id:
            logs_left -= 1
            failure: Failure = no_changes(_tail(region, job))
            if failure.cause == cause:
                found.append((job, failure.evidence or failure.summary))
    return found


def judgement(
    region: Region,
    jobs: list[tuple[Job, str]],
    nothing: str,
    *,
    inferred: str = "",
    also: tuple[Evidence, ...] = (),
    first: Callable[[Job], str] | None = None,
    again: Callable[[Job], Mapping[str, Any]] = lambda job: {},
) -> Judgement:
    """A failure with the jobs as evidence; a warning that says what speaks against it when `inferred`.

    `first` is a command to run on the newest of them, in place of reading its log; `again` is what to ask
    for otherwise when it is dispatched again.
    """
    if not jobs:
        return ok(nothing)
    evidence = [_evidence(job, words) for job, words in jobs[:SHOWN]]
    job, words = jobs[0]
    evidence += supporting(lambda: _said(region, job, words))
    summary = f"{len(jobs)} dispatch(es), last {job.id}: {words.rstrip('.')}"
    commands = (first(job) if first else read_log(region, job), dispatch_again(region, job, **again(job)))
    if inferred:
        return warn(f"{summary} ({inferred})", *evidence, *also, direct=False).then(*commands)
    return fail(summary, *evidence, *also).then(*commands)


def _evidence(job: Job, words: str) -> Evidence:
    """How a dispatch ended, and what it had asked for."""
    asked = [f"{name} {job.raw[name]}" for name in ("model", "repository", "branch") if job.raw.get(name)]
    after = f" after {job.raw['timeoutSeconds']} s" if _timed_out(job) else ""
    saw = f"{job.agent} {job.status}{after}: {words}" + (f" (asked for {', '.join(asked)})" if asked else "")
    return Evidence(
        "dynamodb:Query",
        f"dispatch {job.id} of {job.tenant}",
        saw,
        "a change" if job.status == Status.COMPLETED else "COMPLETED",
    )


def _timed_out(job: Job) -> bool:
    return job.status == Status.TIMEOUT and "timeoutSeconds" in job.raw


def _said(region: Region, job: Job, words: str) -> list[Evidence]:
    """The line of the worker's log that shows the cause, in the agent's or git's own words."""
    if job.agent is None or not job.task_id:
        return []
    if job.status == Status.COMPLETED:
        line = no_changes(_tail(region, job)).evidence
    else:
        failure = classify(_end(region, job))
        line = failure.evidence if failure else ""
    if not line or line == words:
        return []
    where = f"{log_group(job.agent)}, task {job.task_id}"
    return [Evidence("logs:GetLogEvents", where, line, _instead(job))]


def _instead(job: Job) -> str:
    """What was hoped for in place of a line that may well be right in itself, such as a tool's result."""
    if job.status == Status.COMPLETED:
        return "a change"
    return "an end before the deadline" if job.status == Status.TIMEOUT else "no such line"


def _tail(region: Region, job: Job) -> list[str]:
    if job.agent is None:
        return []
    return [line.text for line in region.logs.worker(job.agent, job.task_id)]


def _end(region: Region, job: Job) -> TaskEnd:
    evidence = job.raw.get("stoppedEvidence") or {}
    exit_code = job.raw.get("exitCode", evidence.get("exitCode"))
    return TaskEnd(
        exit_code=124 if job.status == Status.TIMEOUT else exit_code,
        stop_code=str(evidence.get("stopCode") or ""),
        stopped_reason=str(evidence.get("stoppedReason") or ""),
        container_reason=str(evidence.get("containerReason") or ""),
        log_tail=_tail(region, job),
        agent_started=job.started is not None,
    )
