"""What the use cases need of the world, as small protocols. Adapters and fakes fit them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from outpost.agents import Agent
from outpost.dispatch import Status
from service.domain.events import TaskView
from service.domain.job import Inputs, Job
from service.domain.keys import ApiKey, Limits

# --- errors of ports that a caller acts on


class ConflictError(Exception):
    """The job is no longer at the version that was decided on: read again and decide again."""


class Failing(StrEnum):
    """Why a dependency did not do what was asked of it: each is mended by somebody else."""

    UNANSWERED = "unanswered"  # no answer, or an error of its own: it passes
    THROTTLED = "throttled"  # past the retries: it passes, or capacity is missing
    DENIED = "denied"  # a policy forbids it: the operator's
    MISSING = "missing"  # the table, queue or bucket is not there: the operator's
    INVALID = "invalid"  # it cannot be asked like that: a defect of this program


class UnavailableError(Exception):
    """A dependency did not do what was asked. `service` names it, `code` is its own."""

    def __init__(
        self, service: str, code: str, message: str = "", failing: Failing = Failing.UNANSWERED
    ) -> None:
        super().__init__(f"{service}: {code} {message}".strip())
        self.service = service
        self.code = code
        self.failing = failing


ACTIVE_RETRY_SECONDS = 30  # a place among the active ones is free as soon as one of them ends


class AdmissionError(Exception):
    """A limit is reached: `active` or `daily` of the tenant, or `rate` of the key.

    `reset`: seconds until it is worth another try.
    """

    def __init__(self, limit: str, maximum: int, reset: float = ACTIVE_RETRY_SECONDS) -> None:
        super().__init__(f"{limit} limit of {maximum}")
        self.limit = limit
        self.maximum = maximum
        self.reset = reset


class KeyReusedError(Exception):
    """The idempotency key was used before, with another body."""


class PersistentModeError(Exception):
    """The tenant has no persistent workspaces. The message is the tenant's id."""


class WorkspaceNotFoundError(Exception):
    """No such workspace of this tenant."""


class WorkspaceInUseError(Exception):
    """A dispatch that has not ended uses the workspace."""


class WorkspaceLimitError(Exception):
    """The tenant has as many workspaces as it may."""

    def __init__(self, maximum: int) -> None:
        super().__init__(f"limit of {maximum} workspaces")
        self.maximum = maximum


# --- jobs


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """A new dispatch and what has to be written with it, all or nothing."""

    job: Job
    inputs: Inputs
    limits: Limits
    now: float
    idempotency_key: str | None = None
    body_hash: str = ""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What a list is narrowed to; None means any. Times are epoch seconds."""

    status: Status | None = None
    agent: Agent | None = None
    created_after: float | None = None
    created_before: float | None = None
    tag: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class JobPage:
    """Jobs, newest first; `last` is where the next page starts, None at the end."""

    jobs: Sequence[Job]
    last: str | None


class JobStore(Protocol):
    """Dispatches. Every method may raise `UnavailableError`."""

    def accept(self, acceptance: Acceptance) -> str | None:
        """Write it. The id of the dispatch that this idempotency key already made, or None if this is new.

        Raises `AdmissionError`, `KeyReusedError` and `WorkspaceNotFoundError`.
        """

    def get(self, tenant_id: str, dispatch_id: str) -> Job | None: ...

    def get_many(self, ids: Iterable[tuple[str, str]]) -> list[Job]: ...

    def assignment(self, tenant_id: str, dispatch_id: str) -> tuple[Job | None, Inputs | None]:
        """A dispatch, and what it is to do."""

    def save(self, old: Job, new: Job) -> None:
        """Write what differs, on condition that `old` is still what is stored. Raises `ConflictError`."""

    def page(self, tenant_id: str, filters: Filters, after: str | None, limit: int) -> JobPage: ...

    def due(self, shard: str, now: float, limit: int) -> list[tuple[str, str]]: ...


class Coordination(Protocol):
    """What the replicas share."""

    def lease(self, name: str, owner: str, now: float, seconds: float) -> bool:
        """True while `owner` holds the lease."""

    def take_launches(self, wanted: int, per_second: int, now: float) -> int:
        """How many of `wanted` launches this second still has room for, over all replicas."""

    def tell_queue(self, replica: str, text: str, now: float) -> None:
        """Leave word of what this replica holds, in the place of what it said before."""

    def queues(self) -> Mapping[str, str]:
        """What the replicas have said, by replica; that of one which is gone for some time too."""


# --- queues


@dataclass(frozen=True, kw_only=True)
class Received:
    """A message, with what is needed to acknowledge it."""

    body: str
    receipt: str
    receive_count: int = 1


class Queue(Protocol):
    """An SQS queue."""

    def send(self, body: str, delay: float = 0) -> None: ...

    def receive(self, maximum: int, wait: int) -> list[Received]: ...

    def delete(self, receipts: Sequence[str]) -> None: ...

    def extend(self, receipts: Sequence[str], seconds: int) -> None: ...

    def depth(self) -> int: ...


# --- tasks


@dataclass(frozen=True, kw_only=True)
class LaunchSpec:
    """One RunTask."""

    family: str
    client_token: str
    started_by: str
    environment: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)


class LaunchRefusedError(Exception):
    """RunTask answered that there will be no task. `code` is AWS's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message


@dataclass(frozen=True, kw_only=True)
class TaskSummary:
    """A task of the cluster, for the sweep."""

    arn: str
    started_by: str
    created_at: float


class Tasks(Protocol):
    """ECS. Every method may raise `UnavailableError`: then nothing is known."""

    def run(self, spec: LaunchSpec) -> str:
        """The task's ARN; the same one for the same client token. Raises `LaunchRefusedError`."""

    def stop(self, arn: str, reason: str) -> None:
        """Ask for the task's end; a task that is gone already is no error."""

    def describe(self, arns: Sequence[str]) -> dict[str, TaskView]: ...

    def find(self, started_by: str) -> str | None:
        """The ARN of the task that was started with this mark."""

    def running(self, family: str) -> list[TaskSummary]: ...


# --- the rest


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line of a worker's log; `at` in epoch seconds."""

    at: float
    message: str


@dataclass(frozen=True, kw_only=True)
class LogPage:
    """Lines and the token from which to read on."""

    lines: Sequence[LogLine]
    token: str | None


class Logs(Protocol):
    """CloudWatch Logs, by the agent and the ARN of the task."""

    def page(self, agent: Agent, task_arn: str, token: str | None, limit: int) -> LogPage: ...

    def tail(self, agent: Agent, task_arn: str, limit: int) -> list[str]: ...


class Artifacts(Protocol):
    """The artifacts bucket; names are `DISPATCH_ID/NAME`."""

    def upload_url(
        self, key: str, *, content_type: str, size: int, sha256: str
    ) -> tuple[str, dict[str, str]]:
        """A short-lived URL for one PUT, and the headers that it must carry."""

    def download_url(self, key: str) -> str: ...

    def read(self, key: str, *, start: int = 0, limit: int | None = None) -> bytes | None: ...


class KeyStore(Protocol):
    """API keys."""

    def by_hash(self, key_hash: str) -> ApiKey | None: ...

    def get(self, api_key_id: str) -> ApiKey | None: ...

    def of_tenant(self, tenant_id: str) -> list[ApiKey]: ...

    def put(self, key: ApiKey) -> None: ...

    def update(self, api_key_id: str, changes: Mapping[str, Any]) -> ApiKey | None: ...

    def count_usage(self, api_key_id: str, requests: int, last_used_at: float) -> None: ...


class Secrets(Protocol):
    """Secrets Manager."""

    def has_value(self, name: str) -> bool: ...

    def value(self, name: str) -> str | None: ...


class Clock(Protocol):
    """Epoch seconds."""

    def __call__(self) -> float: ...
