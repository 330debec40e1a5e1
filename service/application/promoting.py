"""Promoting: what a dispatch changed becomes a branch, and on request a pull request.

Verified (the bundle is the one that the worker reported, its commit is what the branch then shows),
idempotent (asked again, it answers the same) and never forced (an existing branch is never moved).
"""

import hashlib
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from outpost import names
from outpost.dispatch import Status
from outpost.errors import OutpostError
from service.application.assignments import tenant_git_token
from service.application.audit import Audit
from service.application.dispatches import Dispatches
from service.domain.job import Job
from service.domain.keys import repository_name
from service.domain.ports import Artifacts, ConflictError, Secrets, UnavailableError
from service.domain.times import iso
from service.git import Git, GitError

BUNDLE = "changes.bundle"
RECORD_TRIES = 5
MAX_BUNDLE = 128 * 1024**2  # bytes, held in memory, of which a replica has 2 GB; see AT_ONCE


class PromotionError(OutpostError):
    """Why this dispatch cannot be promoted like that."""


class Hub(Protocol):
    """The part of GitHub that is needed."""

    def branch_commit(self, repository: str, branch: str) -> str | None: ...

    def pull_request(
        self, repository: str, *, head: str, base: str, title: str, body: str
    ) -> dict[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class PromotionRequest:
    """What is wanted. `base` None: the branch that the dispatch worked on, or the default branch."""

    branch: str
    pull_request: bool = False
    base: str | None = None
    title: str | None = None
    body: str | None = None


@dataclass(frozen=True, kw_only=True)
class Forge:
    """Where repositories are: GitHub's clone URL and API, which tests replace."""

    clone_url: str
    hub: Callable[[str], AbstractContextManager[Hub]]
    local: bool


class Promoting:
    """Promotes dispatches."""

    def __init__(
        self, *, dispatches: Dispatches, artifacts: Artifacts, secrets: Secrets, forge: Forge, audit: Audit
    ) -> None:
        self._dispatches = dispatches
        self._artifacts = artifacts
        self._secrets = secrets
        self._forge = forge
        self._audit = audit

    def promote(self, tenant_id: str, dispatch_id: str, request: PromotionRequest) -> dict[str, Any]:
        """The promotion's record. Raises `PromotionError`, `GitError` and `GitHubError`."""
        job = self._dispatches.fresh(tenant_id, dispatch_id)
        if job.status is not Status.COMPLETED:
            raise PromotionError("dispatch-not-completed", f"The dispatch is {job.status}, not COMPLETED.")
        known = _known(job, request)
        if "commit" in known and ("pullRequest" in known or not request.pull_request):
            return known
        remote, name, token = self._remote(job, request)
        with tempfile.TemporaryDirectory(prefix="promote-") as scratch:
            git = Git(_made(Path(scratch) / "repository"), remote, token, local=self._forge.local)
            base = request.base or job.branch or git.default_branch()
            if request.branch in (base, git.default_branch()):
                raise PromotionError("branch-is-base", "Promote to a branch of its own.")
            commit = git.fetch_bundle(self._bundle(job, Path(scratch)))
            job = self._reserved(job, request)
            try:
                self._push(git, commit, request.branch)
            except PromotionError:  # nothing was pushed: the dispatch may still go to another branch
                self._record(job, None)
                raise
        record: dict[str, Any] = {
            "branch": request.branch,
            "base": base,
            "commit": commit,
            "at": iso(self._dispatches.clock()),
        }
        if name is not None and token is not None:
            record |= self._published(job, request, name, token, record)
        self._record(job, record)
        return record

    def _reserved(self, job: Job, request: PromotionRequest) -> Job:
        """The dispatch, bound to this branch before anything is pushed: of two at once, one is refused.

        Whoever dies in between leaves it bound; the same request is taken up again.
        """
        for _ in range(RECORD_TRIES):
            if _known(job, request):
                return job
            try:
                bound = job.changed(promotion={"branch": request.branch})
                self._dispatches.store.save(job, bound)
                return bound
            except ConflictError:
                job = self._dispatches.fresh(job.tenant_id, job.dispatch_id)
        raise UnavailableError("dynamodb", "Contention", f"{job.dispatch_id} keeps changing")

    def _remote(self, job: Job, request: PromotionRequest) -> tuple[str, str | None, str | None]:
        """The remote's URL, its name on GitHub if it is there, and the tenant's token for it."""
        name = repository_name(job.repository)
        if name is None:
            if not (self._forge.local and job.repository):
                raise PromotionError("not-on-github", "Only repositories on GitHub are promoted.")
            if request.pull_request:
                raise PromotionError("not-on-github", "Only GitHub has pull requests.")
            return job.repository, None, None
        token = tenant_git_token(self._secrets.value(names.GITHUB_SECRET), job.tenant_id, name)
        if token is None or not job.git_access:
            raise PromotionError(
                "no-git-access",
                f"The tenant has no token for {name}, or the dispatch's key may not use it.",
                remedy=f"Add it to the secret {names.GITHUB_SECRET}, and the repository to the key.",
            )
        self._audit.record(job.tenant_id, f"secret {names.GITHUB_SECRET}", dispatchId=job.dispatch_id)
        return f"{self._forge.clone_url}/{name}.git", name, token

    def _bundle(self, job: Job, scratch: Path) -> Path:
        """The bundle, if it is the one that the worker reported."""
        wanted = next((each for each in job.artifacts if each.get("name") == BUNDLE), None)
        if wanted is not None and wanted["size"] > MAX_BUNDLE:
            raise PromotionError(
                "bundle-too-large", f"The bundle is larger than {MAX_BUNDLE} bytes; fetch it as an artifact."
            )
        # What was reported need not be what was uploaded: never more than the bound is read.
        data = self._artifacts.read(f"{job.dispatch_id}/{BUNDLE}", limit=MAX_BUNDLE) if wanted else None
        if wanted is None or not data:
            raise PromotionError("no-changes", "The dispatch left no changes to promote.")
        if hashlib.sha256(data).hexdigest() != wanted["sha256"]:
            raise PromotionError("artifact-altered", "The bundle is not the one that the worker reported.")
        path = scratch / BUNDLE
        path.write_bytes(data)
        return path

    @staticmethod
    def _push(git: Git, commit: str, branch: str) -> None:
        there = git.head_of_remote(branch)
        if there is None:
            try:
                git.push_new(commit, branch)
            except GitError:
                # Another replica may have pushed it meanwhile, or the answer was lost: look what is there.
                if git.head_of_remote(branch) is None:
                    raise
            there = git.head_of_remote(branch)
        if there != commit:
            raise PromotionError("branch-exists", f"The branch {branch} exists, with other commits.")

    def _published(
        self, job: Job, request: PromotionRequest, name: str, token: str, record: dict[str, Any]
    ) -> dict[str, Any]:
        """What GitHub shows: the commit is verified, the pull request made if it is wanted."""
        with self._forge.hub(token) as hub:
            if hub.branch_commit(name, request.branch) != record["commit"]:
                raise PromotionError("not-verified", "GitHub does not show the commit that was pushed.")
            if not request.pull_request:
                return {}
            pull = hub.pull_request(
                name,
                head=request.branch,
                base=record["base"],
                title=request.title or _title(job),
                body=request.body or f"Made by {job.agent} in dispatch {job.dispatch_id}.",
            )
        return {"pullRequest": pull}

    def _record(self, job: Job, record: dict[str, Any] | None) -> None:
        current: Job | None = job
        for _ in range(RECORD_TRIES):
            if current is None:
                return
            try:
                self._dispatches.store.save(current, current.changed(promotion=record))
                return
            except ConflictError:
                current = self._dispatches.store.get(job.tenant_id, job.dispatch_id)
        raise UnavailableError("dynamodb", "Contention", f"{job.dispatch_id} keeps changing")


def _known(job: Job, request: PromotionRequest) -> dict[str, Any]:
    """What is recorded: nothing, the branch that it is bound to, or all. Raises `PromotionError`."""
    known = dict(job.promotion or {})
    if known and known["branch"] != request.branch:
        raise PromotionError("already-promoted", f"It was promoted to the branch {known['branch']}.")
    return known


def _title(job: Job) -> str:
    """The first line of the task that has words."""
    lines = (line.strip() for line in job.task_preview.splitlines())
    return next((line for line in lines if line), job.dispatch_id)[:72]


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory
