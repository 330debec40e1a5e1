"""Where a dispatch works: directories of its own, and in persistent mode the tenant's kept repository."""

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from outpost.errors import OutpostError
from worker.changes import Start, snapshot
from worker.control import Assignment
from worker.git import Git, Interrupted
from worker.process import Identity, Limits
from worker.repository import address
from worker.settings import Settings

LOCK_POLL = 0.2  # seconds between two tries to lock a workspace


@dataclass(frozen=True, kw_only=True)
class Directories:
    """`repository`, `home` and `scratch` are the agent's. `task`, which it may read, `out` and the directory
    that holds them all are the worker's: what the agent cannot rename, it cannot turn into a link.
    """

    root: Path
    repository: Path
    home: Path
    task: Path
    scratch: Path
    out: Path

    @classmethod
    def make(cls, root: Path, identity: Identity | None) -> "Directories":
        """Make them anew: a restarted container must not find what an earlier one left."""
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True, mode=0o755)
        directories = cls(
            root=root,
            repository=root / "repository",
            home=root / "home",
            task=root / "task",
            scratch=root / "scratch",
            out=root / "out",
        )
        directories.out.mkdir(mode=0o700)
        directories.task.mkdir(mode=0o755)
        for directory in (directories.repository, directories.home, directories.scratch):
            directory.mkdir(mode=0o755)
            give(directory, identity)
        return directories


def give(path: Path, identity: Identity | None) -> None:
    """Make the agent's user the owner, where the agent has a user of its own."""
    if identity:
        os.chown(path, identity.uid, identity.gid)


def agent_identity(settings: Settings) -> Identity | None:
    """The user that the agent runs as: its own when the worker is root, else the worker's.

    Raises `OutpostError` (`agent-user-missing`) rather than run unreviewed code as root. The local
    region runs on a developer's machine, where no such user need exist, and only rehearses.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(settings.agent_user)
    except KeyError:
        if settings.local_region:
            return None
        raise OutpostError(
            "agent-user-missing",
            f"The worker runs as root and there is no user {settings.agent_user!r} for the agent.",
            remedy="Run the image as its own user, or name one in OUTPOST_AGENT_USER.",
        ) from None
    return Identity(uid=entry.pw_uid, gid=entry.pw_gid)


def kept_repository(workspace: Path, url: str) -> Path:
    """Where a tenant's persistent workspace keeps the clone of one repository."""
    return workspace / "repositories" / hashlib.sha256(url.encode()).hexdigest()[:24] / "repository"


@contextlib.contextmanager
def prepared(
    git: Git,
    settings: Settings,
    assignment: Assignment,
    directories: Directories,
    limits: Limits,
    say: Callable[[str], None],
) -> Iterator[Start]:
    """The repository at the asked branch, the agent's own; locked while in use if it is a kept one.

    Raises `OutpostError` for a repository that may not or cannot be had, `Interrupted` on time or stop.
    """
    git.configure()
    with contextlib.ExitStack() as held:
        if assignment.workspace_id is not None:
            lock = _named(settings, assignment.workspace_id).with_suffix(".lock")
            held.enter_context(locked(lock, limits, say))
        if assignment.repository is None:
            repository = _empty(git, settings, assignment, directories)
            say("no repository: working in a directory without one")
        else:
            url = address(assignment.repository, local_region=settings.local_region)
            repository = directories.repository
            if assignment.persistent:
                repository = _kept(settings, url, assignment.workspace_id, git.identity)
                held.enter_context(locked(repository.parent.with_suffix(".lock"), limits, say))
            say(f"cloning {url}" + (f" at {assignment.branch}" if assignment.branch else ""))
            if (repository / ".git").exists():
                _refresh(git, url, assignment, repository, directories.scratch, limits, say)
            else:
                token = assignment.git_token
                git.clone(url, assignment.branch, repository, token=token, limits=limits, on_line=say)
        commit, tree = git.start(repository)
        if assignment.persistent:
            # What earlier dispatches left uncommitted is not this one's change.
            tree = snapshot(git, repository, directories.scratch)
        say(f"at commit {commit[:12] if commit else '(none yet)'}")
        yield Start(repository=repository, commit=commit, tree=tree)


def _empty(git: Git, settings: Settings, assignment: Assignment, directories: Directories) -> Path:
    """A repository without commits, for a dispatch that names none: the workspace's own, if it has one."""
    repository = directories.repository
    if assignment.workspace_id is not None:
        repository = _kept(settings, "", assignment.workspace_id, git.identity)
        repository.mkdir(exist_ok=True)
        give(repository, git.identity)
    if not (repository / ".git").exists():
        git.output(repository, "init", "--quiet", "--template=")
    return repository


def _mounted(settings: Settings) -> Path:
    """The tenant's mounted access point. Raises `OutpostError` (`workspace-not-mounted`)."""
    workspace = settings.workspace_directory
    if workspace is None or not workspace.is_dir():
        raise OutpostError(
            "workspace-not-mounted",
            "Workspace not available: this task has no file system mounted.",
            remedy="Run diagnose --issue efs-mount-failure, or dispatch with an ephemeral workspace.",
        )
    return workspace


def _named(settings: Settings, workspace_id: str) -> Path:
    """The directory of one workspace, made if it is new."""
    place = _mounted(settings) / "workspaces" / workspace_id
    _real(settings, place)
    place.mkdir(parents=True, exist_ok=True)
    return place


def _real(settings: Settings, place: Path) -> None:
    """Earlier agents may write below the mount: refuse a link, which could lead anywhere.

    Raises `OutpostError` (`workspace-changed`).
    """
    mount = _mounted(settings)
    if place.resolve() != mount.resolve() / place.relative_to(mount):
        raise OutpostError(
            "workspace-changed",
            "The workspace is not a directory of its own: something in it was replaced by a link.",
            remedy="Dispatch with another workspace, or with an ephemeral one.",
        )


def _kept(settings: Settings, url: str, workspace_id: str | None, identity: Identity | None) -> Path:
    """Where a workspace keeps the clone of a repository; the tenant's common one without an id."""
    base = _mounted(settings) if workspace_id is None else _named(settings, workspace_id)
    repository = kept_repository(base, url)
    _real(settings, repository)
    repository.parent.mkdir(parents=True, exist_ok=True)
    give(repository.parent, identity)
    return repository


def _refresh(
    git: Git,
    url: str,
    assignment: Assignment,
    repository: Path,
    scratch: Path,
    limits: Limits,
    say: Callable[[str], None],
) -> None:
    """Bring a kept clone up to date, without losing what is in it.

    An earlier agent may have rewritten the kept clone's configuration, say to send fetches elsewhere. So the
    token is used by a fresh clone only, from which the kept one then takes the branch.
    """
    fresh = scratch / "fresh.git"
    git.clone(url, assignment.branch, fresh, "--bare", token=assignment.git_token, limits=limits, on_line=say)
    branch = git.output(fresh, "symbolic-ref", "--short", "HEAD")
    git.output(
        repository, "fetch", "--quiet", str(fresh), f"+refs/heads/{branch}:refs/remotes/origin/{branch}"
    )
    if git.output(repository, "branch", "--show-current") != branch:
        git.output(repository, "checkout", "--quiet", branch)
    try:
        git.output(repository, "merge", "--quiet", "--ff-only", f"refs/remotes/origin/{branch}")
    except OutpostError:
        say(f"the kept workspace has its own work on {branch}: it stays where it is")


@contextlib.contextmanager
def locked(path: Path, limits: Limits, say: Callable[[str], None]) -> Iterator[None]:
    """Hold a kept repository alone: two dispatches of one tenant must not change it at once.

    The lock is the kernel's (over NFS, the server's), so it ends with its holder. Raises `Interrupted`.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "w") as file:
        waiting = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    say("waiting for another dispatch that uses this workspace")
                waiting = True
            if limits.stop.wait(LOCK_POLL):
                raise Interrupted("stop")
            if time.monotonic() >= limits.deadline:
                raise Interrupted("deadline")
        yield
