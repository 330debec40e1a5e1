"""How things are shown: the models of the OpenAPI document and the functions that fill them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from outpost.agents import Agent
from outpost.dispatch import Status
from service.application.queueing import Outlook
from service.domain.job import Job, Reason
from service.domain.keys import ApiKey
from service.domain.times import iso


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    message: str
    instance: str
    requestId: str  # noqa: N815 - the API's spelling
    remedy: str | None = None
    runbook: str | None = None

    model_config = ConfigDict(extra="allow")


class ReasonView(BaseModel):
    """Why a dispatch waits or ended; `runbook` explains it."""

    code: str
    summary: str
    remedy: str | None = None
    issue: str | None = None
    cause: str | None = None
    runbook: str | None = None


class QueueView(BaseModel):
    """About how many launches until this one, itself included, of how many that wait for one; 1 is next.

    Over all replicas and tenants, which take turns; `asOf` is when the oldest part of it was seen.
    """

    position: int
    of: int
    asOf: str  # noqa: N815 - the API's spelling


class DispatchView(BaseModel):
    """One dispatch."""

    dispatchId: str  # noqa: N815
    status: Status
    agent: Agent
    createdAt: str  # noqa: N815
    timeoutSeconds: int  # noqa: N815
    attempt: int
    workspace: Literal["ephemeral", "persistent"]
    workspaceId: str | None = None  # noqa: N815
    task: str = Field(description="The first 200 characters")
    tags: dict[str, str]
    repository: str | None = None
    branch: str | None = None
    model: str | None = None
    startedAt: str | None = None  # noqa: N815
    endedAt: str | None = None  # noqa: N815
    taskArn: str | None = None  # noqa: N815
    exitCode: int | None = None  # noqa: N815
    reason: ReasonView | None = None
    waitingReason: ReasonView | None = None  # noqa: N815
    nextLaunchAt: str | None = Field(default=None, description="After a launch that was refused")  # noqa: N815
    queue: QueueView | None = None
    summary: str | None = None
    changes: dict[str, int] | None = None
    artifacts: list[str] | None = None


class DispatchList(BaseModel):
    """A page of dispatches, newest first; no `cursor` means no more."""

    dispatches: list[DispatchView]
    cursor: str | None = None


class KeyView(BaseModel):
    """A key without its secret."""

    apiKeyId: str  # noqa: N815
    keyPrefix: str  # noqa: N815
    name: str
    scopes: list[str]
    status: str
    createdAt: str  # noqa: N815
    expiresAt: str | None = None  # noqa: N815
    repositories: list[str]


def reason(value: Reason | None) -> dict[str, Any] | None:
    if value is None:
        return None
    runbook = f"{value.issue}/{value.cause}" if value.cause else value.issue
    shown = {
        "code": value.code,
        "summary": value.summary,
        "remedy": value.remedy,
        "issue": value.issue,
        "cause": value.cause,
        "runbook": runbook,
    }
    return {name: each for name, each in shown.items() if each or name in ("code", "summary")}


def _place(outlook: Outlook | None) -> dict[str, Any] | None:
    if outlook is None or outlook.place is None:
        return None
    place = outlook.place
    return {"position": place.position, "of": place.of, "asOf": iso(outlook.as_of)}


def dispatch(job: Job, outlook: Outlook | None = None) -> dict[str, Any]:
    """The job as clients see it; what is not there is left out."""
    shown: dict[str, Any] = {
        "dispatchId": job.dispatch_id,
        "status": job.status,
        "agent": job.agent,
        "createdAt": iso(job.created_at),
        "timeoutSeconds": job.timeout_seconds,
        "attempt": job.attempt,
        "workspace": job.workspace,
        "task": job.task_preview,
        "tags": dict(job.tags),
    }
    optional = {
        "workspaceId": job.workspace_id,
        "repository": job.repository,
        "branch": job.branch,
        "model": job.model,
        "startedAt": iso(job.started_at) if job.started_at is not None else None,
        "endedAt": iso(job.ended_at) if job.ended_at is not None else None,
        "taskArn": job.task_arn,
        "exitCode": job.exit_code,
        "reason": reason(job.reason),
        "waitingReason": reason(outlook.reason if outlook else job.waiting_reason),
        "nextLaunchAt": iso(outlook.again_at) if outlook and outlook.again_at is not None else None,
        "queue": _place(outlook),
        "summary": job.summary,
        "changes": dict(job.changes) if job.changes is not None else None,
        "artifacts": [str(each["name"]) for each in job.artifacts] or None,
    }
    return shown | {name: value for name, value in optional.items() if value is not None}


def key(value: ApiKey) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "apiKeyId": value.api_key_id,
        "keyPrefix": value.key_prefix,
        "name": value.name,
        "scopes": sorted(value.scopes),
        "status": value.status,
        "createdAt": iso(value.created_at),
        "repositories": list(value.repositories),
    }
    return shown if value.expires_at is None else shown | {"expiresAt": iso(value.expires_at)}
