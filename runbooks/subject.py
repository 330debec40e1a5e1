"""The dispatch that a run is about: its life, and whether what was found explains how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from outpost.dispatch import Status
from outpost.names import WORKER_CONTAINER, Names, log_group
from runbooks.looking import Absent, CouldNotLook
from runbooks.observations import Region
from runbooks.observations.dispatches import Job, moment
from runbooks.ranking import Judged
from runbooks.target import ago

QUOTED, LONGEST = 5, 300  # last lines of a log, and characters of each
WAITS_LONG = 300  # seconds until launched; as dispatch-stuck-pending's alarm has it
_ASKED = ("agent", "model", "repository", "branch", "timeoutSeconds", "workspace", "workspaceId")


@dataclass(frozen=True)
class Step:
    """Something in a dispatch's life; without a time, where something of it is kept."""

    at: datetime | None
    text: str


@dataclass(frozen=True)
class Subject:
    """`story` is one line for people; `unexplained` is what no finding accounts for, empty if nothing."""

    dispatch: str
    tenant: str
    status: str
    story: str
    life: tuple[Step, ...] = ()
    unexplained: str = ""


def subject(region: Region, job: Job, judged: Sequence[Judged]) -> Subject:
    """The dispatch, given all that was judged about it. Reads its log when nothing explains how it ended."""
    now = region.target.now
    issue, cause = job.issue or job.waiting.get("issue"), job.cause or job.waiting.get("cause")
    explained = any(item.judgement.lit and _concerns(item, job.id, str(issue)) for item in judged)
    blamed = next((item for item in judged if (item.cause.issue, item.cause.code) == (issue, cause)), None)
    story = _story(job, now)
    if blamed and not blamed.judgement.lit:
        explained = True
        story += f" (put down to {blamed.cause.key}, now {blamed.judgement.verdict.value})"
    life, left = list(_life(job, region.names)), "" if explained else _unexplained(job, now)
    if left:
        life += _last_words(region, job)
    return Subject(job.id, job.tenant, job.status, story, tuple(life), left)


def _last_words(region: Region, job: Job) -> list[Step]:
    """The end of the agent's output, for a reader who has to find out alone."""
    if job.agent is None or not job.task_id:
        return []
    try:
        said = [line.message for line in region.logs.worker(job.agent, job.task_id) if line.message.strip()]
    except (Absent, CouldNotLook) as error:
        return [Step(None, f"its log could not be looked at: {error}")]
    return [Step(None, f"it said last: {text[:LONGEST]}") for text in said[-QUOTED:]]


def _concerns(item: Judged, dispatch: str, issue: str) -> bool:
    """Whether a finding is about this dispatch, and not another fault of the stack."""
    return item.cause.issue == issue or any(dispatch in e.resource for e in item.judgement.evidence)


def _story(job: Job, now: datetime) -> str:
    when = job.finished or job.started or job.created
    did = "ended" if job.finished else "started" if job.started else "accepted"
    words = f": {job.reason.rstrip('.')}" if job.reason else ""
    return (
        f"dispatch {job.id} of tenant {job.tenant}: {job.raw.get('agent')} {job.status}{_result(job)}, "
        f"{did} {ago((now - when).total_seconds())} ago{words}"
    )


def _result(job: Job) -> str:
    files = (job.raw.get("changes") or {}).get("files")
    code = f", exit code {job.raw['exitCode']}" if "exitCode" in job.raw else ""
    return code + (f", {files} file(s) changed" if files is not None else "")


def _life(job: Job, names: Names) -> Iterator[Step]:
    """What the job's record tells, in order; all of it was read already."""
    raw = job.raw
    asked = ", ".join(f"{name} {raw[name]}" for name in _ASKED if raw.get(name))
    by = f" with key {raw['apiKeyId']}" if raw.get("apiKeyId") else ""
    yield Step(job.created, f"accepted{by}: {asked}")
    if raw.get("deferrals"):
        yield Step(None, f"its launch was put off {raw['deferrals']} time(s): {_waits_for(job)}")
    elif job.waiting:
        yield Step(None, f"waits: {_waits_for(job)}")
    if raw.get("startFailures"):
        yield Step(None, f"{raw['startFailures']} task(s) of it never started")
    if raw.get("attempt"):
        task = f", task {job.task_id}" if job.task_id else ""
        yield Step(moment(raw.get("attemptAt")), f"launched: attempt {raw['attempt']}{task}")
    if job.started:
        yield Step(job.started, f"running, {_seconds(job.started, job.created)} after it was accepted")
    if job.finished:
        after = f" after {_seconds(job.finished, job.started)}" if job.started else ""
        because = f": {job.reason.rstrip('.')}" if job.reason else ""
        yield Step(job.finished, f"{job.status}{after}{_result(job)}{because}")
    if raw.get("cancelReason"):
        yield Step(None, f"cancel was asked for: {raw['cancelReason']}")
    said = {name: text for name, text in (raw.get("stoppedEvidence") or {}).items() if "eason" in name}
    if said:
        yield Step(None, f"ECS said: {'; '.join(map(str, said.values()))}")
    if job.agent and job.task_id:
        stream = f"{WORKER_CONTAINER}/{WORKER_CONTAINER}/{job.task_id}"
        yield Step(None, f"log {log_group(job.agent)}, stream {stream}")
    kept = ", ".join(str(item.get("name")) for item in raw.get("artifacts") or [])
    if kept:
        yield Step(None, f"artifacts in s3://{names.artifacts_bucket}/{job.id}/: {kept}")


def _waits_for(job: Job) -> str:
    return str(job.waiting.get("summary") or job.waiting.get("code") or "no reason was recorded")


def _seconds(later: datetime, earlier: datetime) -> str:
    return f"{(later - earlier).total_seconds():.1f} s"


def _unexplained(job: Job, now: datetime) -> str:
    if job.status in (Status.FAILED, Status.TIMEOUT):
        why = job.reason or "no reason was recorded"
        return f"dispatch {job.id} ended {job.status}, for none of the guide's causes: {why.rstrip('.')}"
    waited = (now - job.created).total_seconds()
    if job.status in (Status.PENDING, Status.PROVISIONING) and waited > WAITS_LONG:
        for_long = f"dispatch {job.id} is {job.status} for {ago(waited)}"
        return f"{for_long}, for none of the guide's causes: {_waits_for(job)}"
    return ""
