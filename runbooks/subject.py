"""The dispatch that a run is about: what became of it, and whether what was found explains that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from outpost.dispatch import Status
from runbooks.observations.dispatches import Job
from runbooks.ranking import Judged
from runbooks.target import ago

WAITS_LONG = 300  # seconds until launched; as dispatch-stuck-pending's alarm has it


@dataclass(frozen=True)
class Subject:
    """`story` is one line for people; `unexplained` is what no finding accounts for, empty if nothing."""

    dispatch: str
    tenant: str
    status: str
    story: str
    unexplained: str = ""


def subject(job: Job, judged: Sequence[Judged], now: datetime) -> Subject:
    """The dispatch, given all that was judged about it."""
    issue, cause = job.issue or job.waiting.get("issue"), job.cause or job.waiting.get("cause")
    explained = any(item.judgement.lit and _concerns(item, job.id, str(issue)) for item in judged)
    blamed = next((item for item in judged if (item.cause.issue, item.cause.code) == (issue, cause)), None)
    story = _story(job, now)
    if blamed and not blamed.judgement.lit:
        explained = True
        story += f" (put down to {blamed.cause.key}, now {blamed.judgement.verdict.value})"
    return Subject(job.id, job.tenant, job.status, story, "" if explained else _unexplained(job, now))


def _concerns(item: Judged, dispatch: str, issue: str) -> bool:
    """Whether a finding is about this dispatch, and not another fault of the stack."""
    return item.cause.issue == issue or any(dispatch in e.resource for e in item.judgement.evidence)


def _story(job: Job, now: datetime) -> str:
    when = job.finished or job.started or job.created
    did = "ended" if job.finished else "started" if job.started else "accepted"
    files = (job.raw.get("changes") or {}).get("files")
    changed = f", {files} file(s) changed" if files is not None else ""
    code = f", exit code {job.raw['exitCode']}" if "exitCode" in job.raw else ""
    words = f": {job.reason}" if job.reason else ""
    return (
        f"dispatch {job.id} of tenant {job.tenant}: {job.raw.get('agent')} {job.status}{code}{changed}, "
        f"{did} {ago((now - when).total_seconds())} ago{words}"
    )


def _unexplained(job: Job, now: datetime) -> str:
    if job.status in (Status.FAILED, Status.TIMEOUT):
        why = job.reason or "no reason was recorded"
        return f"dispatch {job.id} ended {job.status}, for none of the guide's causes: {why}"
    waited = (now - job.created).total_seconds()
    if job.status in (Status.PENDING, Status.PROVISIONING) and waited > WAITS_LONG:
        why = str(job.waiting.get("summary") or job.waiting.get("code") or "no reason was recorded")
        return f"dispatch {job.id} is {job.status} for {ago(waited)}, for none of the guide's causes: {why}"
    return ""
