"""Dispatches: recent jobs as the jobs table has them, by tenant, without their task's text."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from outpost.agents import Agent
from outpost.dispatch import Status
from runbooks.looking import Answer, CouldNotLook, Look
from runbooks.observations.access import Access
from runbooks.observations.tables import plain_item
from runbooks.target import Target

ATTRIBUTES = (
    "tenantId", "dispatchId", "agent", "status", "createdAt", "startedAt", "endedAt", "timeoutSeconds",
    "taskArn", "attempt", "exitCode", "reason", "waitingReason", "model", "repository", "branch",
    "changes", "summary", "workspace", "workspaceId", "stoppedEvidence", "apiKeyId", "attemptAt", "deferrals",
    "startFailures", "artifacts", "cancelReason",
)  # fmt: skip
PER_TENANT = 500  # newest jobs looked at; more are not needed to judge
TENANTS = 2000  # whose jobs are looked at, each with one request
AT_ONCE = 8  # of these requests
ID_LENGTH = 26  # characters of a ULID
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class Job:
    """One dispatch."""

    raw: Answer

    @property
    def id(self) -> str:
        return str(self.raw["dispatchId"])

    @property
    def tenant(self) -> str:
        return str(self.raw["tenantId"])

    @property
    def status(self) -> str:
        return str(self.raw.get("status", ""))

    @property
    def agent(self) -> Agent | None:
        try:
            return Agent(self.raw.get("agent", ""))
        except ValueError:
            return None

    @property
    def ended(self) -> bool:
        try:
            return Status(self.status).terminal
        except ValueError:
            return False

    @property
    def issue(self) -> str:
        return str((self.raw.get("reason") or {}).get("issue") or "")

    @property
    def cause(self) -> str:
        """The classified cause's code; empty when the reason is none of the guide's."""
        return str((self.raw.get("reason") or {}).get("cause") or "")

    @property
    def reason(self) -> str:
        reason = self.raw.get("reason") or {}
        return str(reason.get("summary") or reason.get("code") or "")

    @property
    def waiting(self) -> Answer:
        """Why it waits: the launcher's `code`, `issue`, `cause` and `summary`; empty when it does not."""
        return dict(self.raw.get("waitingReason") or {})

    @property
    def created(self) -> datetime:
        return moment(self.raw.get("createdAt")) or datetime.fromtimestamp(_ulid_seconds(self.id), UTC)

    @property
    def started(self) -> datetime | None:
        return moment(self.raw.get("startedAt"))

    @property
    def finished(self) -> datetime | None:
        return moment(self.raw.get("endedAt"))

    @property
    def task_id(self) -> str:
        return str(self.raw.get("taskArn") or "").rpartition("/")[2]


class Dispatches:
    def __init__(self, look: Look, target: Target, access: Access, only: str = "") -> None:
        self._look = look
        self._target = target
        self._access = access
        self._only = only
        self._recent: list[Job] | None = None
        self._lock = threading.Lock()

    def tenants(self) -> list[str]:
        """Raises `CouldNotLook` when there are more than `TENANTS`: nothing is said of only some of them."""
        tenants = {str(key["tenantId"]) for key in self._access.api_keys() if key.get("tenantId")}
        if len(tenants) > TENANTS:
            raise CouldNotLook("dynamodb:Query", "too many", f"more than {TENANTS} tenants have keys")
        return sorted(tenants)

    def recent(self) -> list[Job]:
        """Jobs created within the look-back, newest first; only the chosen one when the run is about one."""
        with self._lock:  # many checks want them at once
            if self._recent is None:
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    jobs = [job for found in pool.map(self._of, self.tenants()) for job in found]
                self._recent = sorted(jobs, key=lambda job: job.id, reverse=True)
        return self._recent

    def waiting(self) -> list[Job]:
        """Accepted and not launched."""
        return [job for job in self.recent() if job.status == Status.PENDING]

    def unresolved(self) -> list[Job]:
        """Failed or timed out, with nothing since to show that the same tenant's same agent now works."""
        return [
            job
            for job in self.recent()
            if job.status in (Status.FAILED, Status.TIMEOUT) and (self._only or not self._mended_since(job))
        ]

    def failed_for(self, issue: str, cause: str = "") -> list[Job]:
        """Unresolved jobs that the launcher or the worker put down to this issue (and cause)."""
        return [job for job in self.unresolved() if job.issue == issue and cause in ("", job.cause)]

    def unchanged(self) -> list[Job]:
        """Ended well, and changed nothing; none that a later dispatch to the same agent made good."""
        return [
            job
            for job in self.completed()
            if (job.raw.get("changes") or {}).get("files") == 0
            and (self._only or not self._changed_since(job))
        ]

    def completed(self) -> list[Job]:
        return [job for job in self.recent() if job.status == Status.COMPLETED]

    def _changed_since(self, empty: Job) -> bool:
        return any(
            job.id > empty.id
            and (job.tenant, job.agent) == (empty.tenant, empty.agent)
            and (job.raw.get("changes") or {}).get("files")
            for job in self.completed()
        )

    def _mended_since(self, failed: Job) -> bool:
        return any(
            job.status == Status.COMPLETED
            and job.id > failed.id
            and (job.tenant, job.agent) == (failed.tenant, failed.agent)
            for job in self.recent()
        )

    def _of(self, tenant: str) -> list[Job]:
        oldest = self._target.now - timedelta(seconds=self._target.since)
        names: dict[str, str] = {f"#{name}": name for name in ATTRIBUTES}
        values: dict[str, Any] = {":tenant": {"S": tenant}, ":id": {"S": self._only or ulid_at(oldest)}}
        answer = self._look(
            "dynamodb:Query",
            TableName=self._target.names.jobs_table,
            KeyConditionExpression="#tenantId = :tenant AND #dispatchId "
            + ("= :id" if self._only else ">= :id"),
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            PaginationConfig={"MaxItems": PER_TENANT},
        )
        return [Job(plain_item(item)) for item in answer.get("Items", [])]


def ulid_at(when: datetime) -> str:
    """The smallest ULID of a moment: ULIDs sort by time."""
    milliseconds = int(when.timestamp() * 1000)
    digits = [_CROCKFORD[(milliseconds >> shift) & 31] for shift in range(45, -1, -5)]
    return "".join(digits) + "0" * 16


def moment(value: object) -> datetime | None:
    """A time as jobs have it: ISO 8601, or seconds since 1970."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str) or not value:
        return None
    if value.isdigit():
        return datetime.fromtimestamp(int(value), UTC)
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _ulid_seconds(ulid: str) -> float:
    number = 0
    for character in ulid[:10].upper():
        number = number * 32 + max(_CROCKFORD.find(character), 0)
    return number / 1000
