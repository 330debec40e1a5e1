"""What an agent changed: collected as a patch and a bundle, against the state that it started from."""

import contextlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from outpost.errors import OutpostError
from worker.git import Git

MAX_CHANGES = 512 * 1024 * 1024  # bytes of one patch
DIFF = ("diff", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", "--no-color", "--find-renames")


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where the agent starts from: the repository, its commit (None: it has none) and its tree."""

    repository: Path
    commit: str | None
    tree: str


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What the agent changed, against its start. `commits`: those it made itself."""

    files: int = 0
    insertions: int = 0
    deletions: int = 0
    commits: int = 0

    @property
    def any(self) -> bool:
        return bool(self.files or self.commits)


def snapshot(git: Git, repository: Path, scratch: Path) -> str:
    """The tree of everything in the working directory that is not ignored, untracked files included."""
    index = scratch / f"index-{time.monotonic_ns()}"
    if git.identity is None:
        # git's own index knows what is unchanged, which saves hashing it. As root it stays untouched: the
        # agent may have made it a link to a file that only root can read.
        with contextlib.suppress(OSError):
            shutil.copyfile(repository / ".git" / "index", index)
    git.output(repository, "add", "--all", "--", ".", index=index)
    return git.output(repository, "write-tree", index=index)


def collect(git: Git, start: Start, scratch: Path, out: Path, *, name: str) -> Changes:
    """Write `changes.patch`, and `changes.bundle` if anything changed; say how much.

    The patch goes from the start's tree to the working directory as it is. The bundle holds the agent's own
    commits and, on top, one with what it left uncommitted, under the ref `refs/outpost/NAME`.
    Raises `OutpostError` when the agent left nothing that git can read.
    """
    repository, base = start.repository, start.commit
    tree = snapshot(git, repository, scratch)
    patch = out / "changes.patch"
    git.output(repository, *DIFF, start.tree, tree, to=patch)
    if patch.stat().st_size > MAX_CHANGES:
        patch.unlink()
        raise OutpostError("changes-too-large", f"The changes are over {MAX_CHANGES >> 20} MiB.")
    own = _own_head(git, start)
    changes = _count(git, start, tree, own)
    if changes.any:
        tip = _tip(git, repository, tree, own or base, name)
        reference = f"refs/outpost/{name}"
        git.output(repository, "update-ref", reference, tip)
        if tip != base:
            without = (f"^{base}",) if base else ()
            git.output(repository, "bundle", "create", "-", reference, *without, to=out / "changes.bundle")
    return changes


def _own_head(git: Git, start: Start) -> str | None:
    """The last commit that the agent made on top of its start; None if it made none."""
    head = git.head(start.repository)
    if head is None or head == start.commit:
        return None
    if start.commit is None:
        return head
    try:
        git.output(start.repository, "merge-base", "--is-ancestor", start.commit, head)
    except OutpostError:
        return None  # it went elsewhere: the patch still tells what is different
    return head


def _tip(git: Git, repository: Path, tree: str, parent: str | None, name: str) -> str:
    """A commit of the tree: the parent itself if it has that tree, else a new one on top of it."""
    if parent is not None and git.output(repository, "rev-parse", f"{parent}^{{tree}}") == tree:
        return parent
    parents = ("-p", parent) if parent else ()
    message = f"Changes of Outpost dispatch {name}"
    return git.output(repository, "commit-tree", tree, *parents, "-m", message)


def _count(git: Git, start: Start, tree: str, own: str | None) -> Changes:
    printed = git.output(start.repository, "diff", "--numstat", "--no-renames", start.tree, tree)
    rows = [row.split("\t", 2) for row in printed.splitlines()]
    commits = 0
    if own is not None:
        span = f"{start.commit}..{own}" if start.commit else own
        commits = int(git.output(start.repository, "rev-list", "--count", span))
    return Changes(
        files=len(rows),
        insertions=sum(int(row[0]) for row in rows if row[0].isdigit()),  # "-" for a binary file
        deletions=sum(int(row[1]) for row in rows if row[1].isdigit()),
        commits=commits,
    )
