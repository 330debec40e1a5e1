"""What workers ask for: their assignment, where to upload, and to be told that it is over."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from outpost import failure, names
from outpost.exit_codes import WorkerExit
from service import log
from service.application.audit import Audit
from service.application.dispatches import Dispatches, NotFoundError
from service.domain.events import Decision, Refusal, WorkerClaimed, WorkerFinished
from service.domain.job import Job, Reason
from service.domain.keys import repository_name
from service.domain.ports import Artifacts, Secrets, UnavailableError
from service.domain.tokens import WorkerIdentity
from service.domain.transitions import ENDED, FENCED


class RefusedError(Exception):
    """The worker is not the one that the dispatch waits for."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


@dataclass(frozen=True, kw_only=True)
class UploadRequest:
    """A file that a worker wants to leave: `sha256` in base64, `size` in bytes."""

    name: str
    size: int
    sha256: str
    content_type: str


class Assignments:
    """The worker routes' use cases. Each is fenced by the attempt that the token was issued for."""

    def __init__(
        self, *, dispatches: Dispatches, artifacts: Artifacts, secrets: Secrets, audit: Audit
    ) -> None:
        self._dispatches = dispatches
        self._artifacts = artifacts
        self._secrets = secrets
        self._audit = audit

    def claim(self, worker: WorkerIdentity) -> dict[str, Any]:
        """Make the dispatch RUNNING and tell what is to be done. The same answer when asked again.

        Raises `RefusedError` and `UnavailableError`.
        """
        # Read before the claim: what cannot be told in full is not claimed.
        found, inputs = self._dispatches.store.assignment(worker.tenant_id, worker.dispatch_id)
        job = self._fenced(found, worker)
        if inputs is None:
            raise RefusedError(ENDED)
        git_token = self._git_token(job) if job.git_access else None
        decision = self._applied(worker, WorkerClaimed(attempt=worker.attempt), job)
        before, job = job, decision.job
        started = job.started_at or self._dispatches.clock()
        if before.started_at is None:
            log.metric("DispatchStartLatency", max(0.0, started - job.created_at), "Seconds")
        return {
            "dispatchId": job.dispatch_id,
            "attempt": job.attempt,
            "agent": job.agent,
            "model": job.model,
            "task": inputs.task,
            "context": inputs.context,
            "repository": job.repository,
            "branch": job.branch,
            "timeoutSeconds": job.timeout_seconds,
            "deadlineAt": int(started) + job.timeout_seconds,
            "workspace": job.workspace,
            "workspaceId": job.workspace_id,
            "gitToken": git_token,
            "rehearsal": None,
        }

    def uploads(self, worker: WorkerIdentity, files: Sequence[UploadRequest]) -> list[dict[str, Any]]:
        """A short-lived URL per file, for exactly that content. Raises `RefusedError`."""
        job = self._job(worker)
        if job.status.terminal:
            raise RefusedError(ENDED)
        uploads = []
        for file in files:
            url, headers = self._artifacts.upload_url(
                f"{job.dispatch_id}/{file.name}",
                content_type=file.content_type,
                size=file.size,
                sha256=file.sha256,
            )
            uploads.append({"name": file.name, "url": url, "headers": headers})
        return uploads

    def finish(
        self,
        worker: WorkerIdentity,
        *,
        exit_code: int,
        reason: Mapping[str, str] | None,
        summary: str | None,
        changes: Mapping[str, int] | None,
        artifacts: Sequence[Mapping[str, Any]],
    ) -> Job:
        """End the dispatch as its worker reports. A repeated report of the same attempt is answered alike."""
        event = WorkerFinished(
            attempt=worker.attempt,
            exit_code=exit_code,
            reason=self._reason(exit_code, reason),
            summary=summary,
            changes=changes,
            artifacts=artifacts,
        )
        try:
            return self._applied(worker, event, None).job
        except RefusedError as error:
            if error.refusal is not ENDED:
                raise
            return self._job(worker)

    def heartbeat(self, worker: WorkerIdentity) -> bool:
        """Whether the worker is to stop."""
        return self._job(worker).status.value == "CANCELLING"

    def _job(self, worker: WorkerIdentity) -> Job:
        return self._fenced(self._dispatches.store.get(worker.tenant_id, worker.dispatch_id), worker)

    @staticmethod
    def _fenced(job: Job | None, worker: WorkerIdentity) -> Job:
        if job is None:
            raise RefusedError(ENDED)
        if job.attempt != worker.attempt:
            raise RefusedError(FENCED)
        return job

    def _applied(
        self, worker: WorkerIdentity, event: WorkerClaimed | WorkerFinished, job: Job | None
    ) -> Decision:
        try:
            decision = self._dispatches.apply(worker.tenant_id, worker.dispatch_id, event, job=job)
        except NotFoundError as error:
            raise RefusedError(ENDED) from error
        if decision.refusal is not None:
            raise RefusedError(decision.refusal)
        return decision

    @staticmethod
    def _reason(exit_code: int, reported: Mapping[str, str] | None) -> Reason | None:
        if exit_code == WorkerExit.COMPLETED and reported is None:
            return None
        found = failure.classify(failure.TaskEnd(exit_code=exit_code, agent_started=True))
        if reported is None:
            return Reason.of(found) if found else None
        issue, cause = reported.get("issue", ""), reported.get("cause", "")
        return Reason(
            code=reported.get("code") or cause or (found.code if found else "reported"),
            summary=reported.get("summary", ""),
            remedy=reported.get("remedy", "") or (found.remedy if found else ""),
            issue=issue,
            cause=cause,
        )

    def _git_token(self, job: Job) -> str | None:
        """The tenant's own token, if it has one for this repository (ADR 0022); else none."""
        name = repository_name(job.repository)
        try:
            value = self._secrets.value(names.GITHUB_SECRET)
        except UnavailableError as error:
            log.warning("git token not read; cloning without", event="git-token-lost", error=str(error))
            return None
        token = tenant_git_token(value, job.tenant_id, name)
        if token is not None:
            log.info("git token handed to a worker", event="secret-access", secret=names.GITHUB_SECRET)
            self._audit.record(job.tenant_id, f"secret {names.GITHUB_SECRET}", dispatchId=job.dispatch_id)
        return token


def tenant_git_token(secret: str | None, tenant_id: str, repository: str | None) -> str | None:
    """The token that `{"tenants": {TENANT: {"token", "repositories": ["owner/*"]}}}` has for a repository.

    A value of any other form is one token for everything, which no tenant's agent may be shown.
    """
    try:
        entry = json.loads(secret or "{}")["tenants"][tenant_id]
        patterns = [str(pattern).lower() for pattern in entry["repositories"]]
        allowed = repository is not None and any(fnmatchcase(repository, pattern) for pattern in patterns)
        return str(entry["token"]) if allowed else None
    except (ValueError, KeyError, TypeError):
        return None
