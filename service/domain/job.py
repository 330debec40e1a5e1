"""A dispatch as it is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from outpost import failure
from outpost.agents import Agent
from outpost.dispatch import Status


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a dispatch waits or ended: `code` is stable; `issue` and `cause` are the guide's."""

    code: str
    summary: str
    remedy: str = ""
    issue: str = ""
    cause: str = ""

    @classmethod
    def of(cls, end: failure.Failure) -> "Reason":
        return cls(code=end.code, summary=end.summary, remedy=end.remedy, issue=end.issue, cause=end.cause)


@dataclass(frozen=True, kw_only=True)
class StoppedEvidence:
    """What ECS said about a stopped task. ECS forgets it after about an hour; the job does not."""

    task_arn: str = ""
    stop_code: str = ""
    stopped_reason: str = ""
    exit_code: int | None = None
    container_reason: str = ""
    stopped_at: float | None = None

    def end(self, *, log_tail: Sequence[str], agent_started: bool) -> failure.TaskEnd:
        return failure.TaskEnd(
            exit_code=self.exit_code,
            stop_code=self.stop_code,
            stopped_reason=self.stopped_reason,
            container_reason=self.container_reason,
            log_tail=log_tail,
            agent_started=agent_started,
        )


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the worker is given to do. Large (a task reaches 50,000 characters), so stored apart."""

    task: str
    context: str | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """One dispatch. Times are epoch seconds; `version` counts the writes and guards each of them."""

    tenant_id: str
    dispatch_id: str
    agent: Agent
    created_at: float
    timeout_seconds: int
    status: Status = Status.PENDING
    version: int = 1
    attempt: int = 0  # launches claimed so far; also the fence for workers
    start_failures: int = 0  # attempts whose container never started
    deferrals: int = 0  # launches refused for want of capacity, since the last that was not
    repository: str | None = None  # None: an empty workspace
    branch: str | None = None
    model: str | None = None
    workspace: str = "ephemeral"
    workspace_id: str | None = None  # None in persistent mode: the tenant's common directory
    tags: Mapping[str, str] = field(default_factory=dict)
    task_preview: str = ""
    api_key_id: str = ""
    git_access: bool = False  # the key that asked may use the tenant's git token for this repository
    webhook_url: str | None = None
    launch_after: float | None = None
    queued_at: float | None = None  # when its last launch message could be received; None: created_at
    waiting_reason: Reason | None = None
    deadline_at: float | None = None
    attempt_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    task_arn: str | None = None
    exit_code: int | None = None
    reason: Reason | None = None
    summary: str | None = None
    changes: Mapping[str, int] | None = None
    artifacts: Sequence[Mapping[str, Any]] = ()
    cancel_reason: str | None = None
    stopped_evidence: StoppedEvidence | None = None
    deliveries: Sequence[Mapping[str, Any]] = ()  # tries of the webhook
    promotion: Mapping[str, Any] | None = None
    expires_at: float | None = None  # DynamoDB's TTL

    def changed(self, **changes: Any) -> "Job":
        """The next version of this job."""
        return replace(self, version=self.version + 1, **changes)

    @property
    def active(self) -> bool:
        """Counts against the tenant's limit."""
        return not self.status.terminal
