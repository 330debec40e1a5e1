"""Running git in a repository that an agent has had in its hands.

After the agent, `.git` may hold anything: hooks, filters, a rewritten configuration. So every git command
runs as the agent's user, with an environment that carries no secret; only the clone, before the agent, is
given the git token.
"""

import base64
import contextlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from outpost.errors import OutpostError
from worker.process import EndedBy, Identity, Limits, run
from worker.stopping import COLLECTED_BY, Stop

COMMAND_TIMEOUT = 60.0  # seconds for one git command, the clone aside
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's well-known id of a tree without entries


class CloneError(OutpostError):
    """git could not fetch the repository; its own words are in the log."""


class Interrupted(Exception):  # noqa: N818 - not an error
    """A step was ended by the deadline or by a stop, not by itself."""

    def __init__(self, by: EndedBy) -> None:
        super().__init__(by)
        self.by = by


@dataclass(frozen=True, kw_only=True)
class Git:
    """Runs git as the agent's user, with a configuration of the worker's own."""

    home: Path
    configuration: Path
    identity: Identity | None
    base_environment: dict[str, str]
    git_hosts: tuple[str, ...]
    local_region: bool
    stop: Stop = field(default_factory=Stop)

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
                "--template=",  # no sample hooks
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
        # One that is told to stop has little time, and better no changes than nothing at all.
        seconds = max(1.0, min(COMMAND_TIMEOUT, self.stop.left(COLLECTED_BY)))
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
                    timeout=seconds,
                    check=False,
                    user=self.identity.uid if self.identity else None,
                    group=self.identity.gid if self.identity else None,
                    extra_groups=[] if self.identity else None,
                )
            except subprocess.TimeoutExpired:
                raise OutpostError("git-failed", f"git {arguments[0]} took over {seconds:.0f} s.") from None
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
