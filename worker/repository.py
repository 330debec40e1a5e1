"""The tenant's repository: cloned before the agent runs, its changes collected afterwards.

The clone holds nobody's code but the tenant's, and after the agent has run, its `.git` may hold anything:
hooks, filters, a rewritten configuration. So every git command runs as the agent's user, with an environment
that carries no secret; only the clone itself, before the agent, is given the git token.
"""

import base64
import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from outpost.errors import OutpostError
from worker.process import EndedBy, Identity, Limits, run

COLLECT_TIMEOUT = 60.0  # seconds for one git command of the collection
MAX_CHANGES = 512 * 1024 * 1024  # bytes of one patch or bundle
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's well-known id of a tree without entries

_SHORTHAND = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
_SSH = re.compile(r"(?:ssh://)?git@([A-Za-z0-9.-]+)[:/](.+)")


class CloneError(OutpostError):
    """git could not fetch the repository; its own words are in the log."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What the agent changed, against the commit it started from. `commits`: those it made itself."""

    files: int = 0
    insertions: int = 0
    deletions: int = 0
    commits: int = 0

    @property
    def any(self) -> bool:
        return bool(self.files or self.commits)


def address(repository: str, *, local_region: bool) -> str:
    """The URL that git is given. Raises `OutpostError` (`repository-not-allowed`).

    `owner/name` means GitHub, and an SSH address is turned into its HTTPS form (a worker has no SSH key).
    Paths and file:// exist only in the local region: in a container they could name only its own files.
    """
    if local_region and (repository.startswith(("/", "file:///", "http://"))):
        return repository
    if _SHORTHAND.fullmatch(repository):
        return f"https://github.com/{repository}"
    if ssh := _SSH.fullmatch(repository):
        repository = f"https://{ssh[1]}/{ssh[2]}"
    parts = urlsplit(repository)
    if parts.scheme != "https" or not parts.hostname or any(c.isspace() for c in repository):
        raise OutpostError(
            "repository-not-allowed",
            f"{repository!r} is not a repository that a worker may clone.",
            remedy="Use an https:// URL, or owner/name for GitHub.",
        )
    return repository


@dataclass(frozen=True, kw_only=True)
class Git:
    """Runs git as the agent's user, in its home, with a configuration that it cannot change."""

    home: Path
    configuration: Path
    identity: Identity | None
    base_environment: dict[str, str]
    git_hosts: tuple[str, ...]
    local_region: bool

    def configure(self) -> None:
        """Write the configuration that every git command of the worker uses.

        The clone may belong to another user than the one that runs git (a mounted file system): without
        `safe.directory` git refuses it, the guide's "Permission denied".
        """
        self.configuration.write_text(
            "[safe]\n\tdirectory = *\n"
            "[user]\n\tname = Outpost\n\temail = outpost@localhost\n"
            "[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n"
            "[gc]\n\tauto = 0\n[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n",
            encoding="utf-8",
        )

    def environment(self, token: str | None = None, url: str = "") -> dict[str, str]:
        """The environment of one git command. The token is for the URL's own host, if it is a known one."""
        environment = {
            **self.base_environment,
            "HOME": str(self.home),
            "GIT_CONFIG_GLOBAL": str(self.configuration),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "https:http:file" if self.local_region else "https",
            "LC_ALL": "C.UTF-8",  # messages are classified
        }
        parts = urlsplit(url)
        if token and parts.hostname in self.git_hosts:
            origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
            credentials = base64.b64encode(f"x-access-token:{token}".encode()).decode()
            environment |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.{origin}.extraHeader",
                "GIT_CONFIG_VALUE_0": f"Authorization: Basic {credentials}",
            }
        return environment

    def clone(
        self,
        url: str,
        branch: str | None,
        into: Path,
        *options: str,
        token: str | None,
        limits: Limits,
        on_line: Callable[[str], None],
    ) -> None:
        """Clone one branch with its history. Raises `CloneError`; on time or stop, `Interrupted`."""
        chosen = ["--branch", branch] if branch else []
        ended = run(
            [
                "git",
                "clone",
                "--quiet",
                "--single-branch",
                "--no-tags",
                *chosen,
                *options,
                "--",
                url,
                str(into),
            ],
            cwd=self.home,
            environment=self.environment(token, url),
            limits=limits,
            on_line=on_line,
            identity=self.identity,
        )
        if ended.by != "exit":
            raise Interrupted(ended.by)
        if ended.exit_code != 0:
            raise CloneError("clone-failed", f"git clone ended with exit code {ended.exit_code}.")

    def output(
        self, repository: Path, *arguments: str, to: Path | None = None, index: Path | None = None
    ) -> str:
        """What one git command prints, or "" when it goes to a file. Raises `OutpostError` (`git-failed`)."""
        # No remote is spoken to here; paths are the worker's own.
        environment = {**self.environment(), "GIT_ALLOW_PROTOCOL": "file"}
        if index:
            environment["GIT_INDEX_FILE"] = str(index)
        with contextlib.ExitStack() as files:
            sink = files.enter_context(to.open("wb")) if to else subprocess.PIPE
            try:
                done = subprocess.run(
                    ["git", *arguments],
                    cwd=repository,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.PIPE,
                    timeout=COLLECT_TIMEOUT,
                    check=False,
                    user=self.identity.uid if self.identity else None,
                    group=self.identity.gid if self.identity else None,
                    extra_groups=[] if self.identity else None,
                )
            except subprocess.TimeoutExpired:
                raise OutpostError(
                    "git-failed", f"git {arguments[0]} took over {COLLECT_TIMEOUT:.0f} s."
                ) from None
        if done.returncode != 0:
            words = done.stderr.decode("utf-8", "replace").strip()
            raise OutpostError(
                "git-failed", f"git {arguments[0]} ended with {done.returncode}: {words[-500:]}"
            )
        return (done.stdout or b"").decode("utf-8", "replace").strip()

    def start(self, repository: Path) -> tuple[str | None, str]:
        """The commit that is checked out, None in a repository without commits, and its tree."""
        try:
            commit, tree = self.output(repository, "log", "-1", "--format=%H %T").split()
        except OutpostError:
            return None, EMPTY_TREE
        return commit, tree

    def head(self, repository: Path) -> str | None:
        """The commit that is checked out; None in a repository without commits."""
        try:
            return self.output(repository, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        except OutpostError:
            return None

    def snapshot(self, repository: Path, scratch: Path) -> str:
        """The tree of everything in the working directory that is not ignored, untracked files included."""
        index = scratch / f"index-{time.monotonic_ns()}"
        with contextlib.suppress(OSError):  # git's own index knows what is unchanged, which saves hashing it
            shutil.copyfile(repository / ".git" / "index", index)
            if self.identity:
                shutil.chown(index, self.identity.uid, self.identity.gid)
        self.output(repository, "add", "--all", "--", ".", index=index)
        return self.output(repository, "write-tree", index=index)

    def collect(
        self, repository: Path, scratch: Path, out: Path, *, base: str | None, base_tree: str, name: str
    ) -> Changes:
        """Write `changes.patch`, and `changes.bundle` if anything changed; say how much.

        The patch goes from `base_tree` to the working directory as it is. The bundle holds the agent's own
        commits and, on top, one with what it left uncommitted, under the ref `refs/outpost/NAME`.
        Raises `OutpostError` when the agent left nothing that git can read.
        """
        tree = self.snapshot(repository, scratch)
        head = self.head(repository)
        own = head is not None and head != base and self._descends(repository, base, head)
        patch = out / "changes.patch"
        options = (
            "--binary",
            "--full-index",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "--find-renames",
        )
        self.output(repository, "diff", *options, base_tree, tree, to=patch)
        if patch.stat().st_size > MAX_CHANGES:
            patch.unlink()
            raise OutpostError("changes-too-large", f"The changes are over {MAX_CHANGES >> 20} MiB.")
        changes = self._count(repository, base, base_tree, tree, head if own else None)
        if not changes.any:
            return changes
        parent = head if own else base
        if parent is not None and self.output(repository, "rev-parse", f"{parent}^{{tree}}") == tree:
            tip = parent
        else:
            parents = ("-p", parent) if parent else ()
            tip = self.output(
                repository, "commit-tree", tree, *parents, "-m", f"Changes of Outpost dispatch {name}"
            )
        reference = f"refs/outpost/{name}"
        self.output(repository, "update-ref", reference, tip)
        if tip != base:
            without = (f"^{base}",) if base else ()
            self.output(repository, "bundle", "create", "-", reference, *without, to=out / "changes.bundle")
        return changes

    def _descends(self, repository: Path, base: str | None, head: str) -> bool:
        if base is None:
            return True
        try:
            self.output(repository, "merge-base", "--is-ancestor", base, head)
        except OutpostError:
            return False
        return True

    def _count(
        self, repository: Path, base: str | None, base_tree: str, tree: str, head: str | None
    ) -> Changes:
        rows = [
            row.split("\t", 2)
            for row in self.output(
                repository, "diff", "--numstat", "--no-renames", base_tree, tree
            ).splitlines()
        ]
        commits = 0
        if head is not None:
            span = f"{base}..{head}" if base else head
            commits = int(self.output(repository, "rev-list", "--count", span))
        return Changes(
            files=len(rows),
            insertions=sum(int(row[0]) for row in rows if row[0].isdigit()),  # "-" for a binary file
            deletions=sum(int(row[1]) for row in rows if row[1].isdigit()),
            commits=commits,
        )


class Interrupted(Exception):  # noqa: N818 - not an error
    """A step was ended by the deadline or by a stop, not by itself."""

    def __init__(self, by: EndedBy) -> None:
        super().__init__(by)
        self.by = by
