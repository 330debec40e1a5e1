"""git, as promoting needs it: take a bundle that a worker left, check it, push one new branch. Never forced.

The bundle was made by code that nobody reviewed, so git reads it in an empty repository, without hooks,
without the machine's configuration, with every object checked.
"""

import contextlib
import os
import signal
import subprocess
from base64 import b64encode
from pathlib import Path

from outpost.errors import OutpostError

TIMEOUT = 60.0  # seconds for one git command
# A bundle may hold objects that unpack to a thousand times its size. Each git process may take this much
# memory (of a replica's 2 GB; see AT_ONCE), and write files this large; what needs more fails by itself.
MEMORY_MIB, FILE_MIB = 768, 2048
# $1 and $2 in KiB and, as POSIX counts files, half KiB. Where there is no such limit there is none to set.
_LIMITED = 'ulimit -v "$1" 2>/dev/null; ulimit -f "$2" 2>/dev/null; shift 2; exec git "$@"'
PREFIX = "refs/outpost/"  # where the worker's bundle has its one reference


class GitError(OutpostError):
    """A git command failed; `message` has its last words, without credentials."""


class Git:
    """One bare repository in a scratch directory, and one remote."""

    def __init__(self, directory: Path, remote: str, token: str | None, *, local: bool) -> None:
        self._directory = directory
        self._remote = remote
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(directory),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ALLOW_PROTOCOL": "https:file" if local else "https",
            **_configuration(token),
        }
        self.run("init", "--quiet", "--bare", ".")

    def run(self, *arguments: str) -> str:
        """The command's output. Raises `GitError` (`git-failed`, `git-timeout`)."""
        limits = (str(MEMORY_MIB * 1024), str(FILE_MIB * 2048))
        command = ["/bin/sh", "-c", _LIMITED, "git", *limits, "-C", str(self._directory), *arguments]
        try:
            returncode, output, errors = _run(command, self._environment)
        except subprocess.TimeoutExpired as error:
            raise GitError("git-timeout", f"git {arguments[0]} took over {TIMEOUT:.0f} s.") from error
        if returncode != 0:
            words = errors.strip().splitlines()
            raise GitError("git-failed", f"git {arguments[0]}: {words[-1] if words else returncode}")
        return output.strip()

    def head_of_remote(self, branch: str) -> str | None:
        """The commit of a branch of the remote."""
        line = self.run("ls-remote", "--heads", "--", self._remote, f"refs/heads/{branch}")
        return line.split()[0] if line else None

    def default_branch(self) -> str:
        """The branch that the remote's HEAD names."""
        for line in self.run("ls-remote", "--symref", "--", self._remote, "HEAD").splitlines():
            if line.startswith("ref: refs/heads/"):
                return line.removeprefix("ref: refs/heads/").split("\t")[0]
        raise GitError("git-failed", "The repository has no default branch.")

    def fetch_bundle(self, bundle: Path, branches: str = "refs/heads/*") -> str:
        """The commit that the bundle holds, on top of the remote's history. Every object is checked."""
        self.run("fetch", "--quiet", "--no-tags", "--", self._remote, f"{branches}:refs/remotes/origin/*")
        self.run("bundle", "verify", "--quiet", str(bundle))
        self.run("fetch", "--quiet", "--no-tags", str(bundle), f"{PREFIX}*:{PREFIX}*")
        tips = self.run("for-each-ref", "--format=%(objectname)", PREFIX).split()
        if len(tips) != 1:
            raise GitError("git-failed", f"The bundle has {len(tips)} references instead of one.")
        self.run("fsck", "--no-progress", "--connectivity-only", tips[0])
        return tips[0]

    def push_new(self, commit: str, branch: str) -> None:
        """Create the branch. The lease expects that there is none, so nothing is ever overwritten."""
        reference = f"refs/heads/{branch}"
        self.run(
            "push", "--quiet", f"--force-with-lease={reference}:", "--", self._remote, f"{commit}:{reference}"
        )


def _run(command: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, output and errors. Raises `TimeoutExpired`, and leaves none of git's helpers behind.

    git talks to the remote in a process of its own, which outlives git and keeps the pipes open.
    """
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=TIMEOUT)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        return process.returncode, output, errors


def _configuration(token: str | None) -> dict[str, str]:
    """git's settings by environment: the token is in no argument list and in no file."""
    settings = {
        "core.hooksPath": os.devnull,
        "transfer.fsckObjects": "true",
        "http.followRedirects": "false",
        # Packs stay packed on the disk, and large files are never held in memory.
        "transfer.unpackLimit": "1",
        "core.bigFileThreshold": "16m",
        "core.packedGitWindowSize": "32m",
        "core.packedGitLimit": "256m",
        "core.deltaBaseCacheLimit": "32m",
        "pack.threads": "1",
    }
    if token is not None:
        basic = b64encode(f"x-access-token:{token}".encode()).decode()
        settings["http.extraHeader"] = f"Authorization: Basic {basic}"
    found = {"GIT_CONFIG_COUNT": str(len(settings))}
    for n, (name, value) in enumerate(settings.items()):
        found |= {f"GIT_CONFIG_KEY_{n}": name, f"GIT_CONFIG_VALUE_{n}": value}
    return found
