"""Runs one child process under a deadline and a memory bound, and ends its whole tree.

An agent starts shells, servers and daemons of its own. None of them may outlive it: they would hold the
container, change files while they are collected, or go on spending money.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from worker.journal import LineSplitter
from worker.memory import descendants, tree_mib
from worker.stopping import Stop

TERM_GRACE = 10.0  # seconds between SIGTERM and SIGKILL
WATCH_INTERVAL = 0.5  # seconds between two looks at the memory of the tree
DRAIN = 1.0  # seconds to read what is left in the pipe once the tree is gone
# Memory, in MiB, that is kept back for the worker itself, so that it lives to upload what there is.
WORKER_SHARE_MIB = 64

# prctl(2)
_SET_DUMPABLE, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 4, 36, 38

EndedBy = Literal["exit", "deadline", "memory", "stop"]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The user that untrusted processes run as."""

    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended: its exit code (negative: the signal), and who ended it. Peak memory in MiB."""

    exit_code: int
    by: EndedBy
    peak_mib: int = 0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`deadline` is on the monotonic clock; `stop` ends the process early; memory in MiB, None for none."""

    deadline: float
    stop: Stop
    memory_mib: int | None = None


def confine_self() -> None:
    """Protect the worker's memory and environment from processes of the same user, and adopt orphans.

    Not dumpable: /proc/PID/environ and ptrace are closed to the agent, also when both have one uid. No new
    privileges: setuid programs give an agent nothing. Subreaper: a daemonized grandchild comes back to the
    worker, which can then end it. Does nothing where there is no prctl (not Linux).
    """
    with contextlib.suppress(OSError, AttributeError):
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        prctl(_SET_DUMPABLE, 0, 0, 0, 0)
        prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    limits: Limits,
    on_line: Callable[[str], None],
    identity: Identity | None = None,
    stdin: Path | None = None,
) -> Ended:
    """Run to the end and return how it ended; `on_line` gets its output, line by line, as it comes.

    Raises `OSError` when the program cannot be started.
    """
    with contextlib.ExitStack() as files:
        source = files.enter_context(stdin.open("rb")) if stdin else subprocess.DEVNULL
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(environment),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=identity.uid if identity else None,
            group=identity.gid if identity else None,
            extra_groups=[] if identity else None,
            umask=0o022,
        )
    try:
        return _follow(process, limits, on_line)
    finally:
        end_tree(process, grace=0)
        if process.stdout:
            process.stdout.close()


def _follow(process: "subprocess.Popen[bytes]", limits: Limits, on_line: Callable[[str], None]) -> Ended:
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    os.set_blocking(pipe, False)
    splitter = LineSplitter()
    by: EndedBy = "exit"
    peak = 0
    next_look = time.monotonic() + WATCH_INTERVAL / 10  # short commands end without a look
    exited = os.pidfd_open(process.pid)
    try:
        while process.poll() is None:
            now = time.monotonic()
            if now >= next_look:
                memory = tree_mib()
                peak = max(peak, memory)
                next_look = now + WATCH_INTERVAL
                if limits.memory_mib is not None and memory > max(
                    limits.memory_mib - WORKER_SHARE_MIB, limits.memory_mib // 2
                ):
                    by = "memory"
                    break
            if limits.stop.is_set():
                by = "stop"
                break
            if now >= limits.deadline:
                by = "deadline"
                break
            watched = [exited, pipe] if pipe >= 0 else [exited]
            wait = max(0.0, min(next_look, limits.deadline) - now)
            ready, _, _ = select.select(watched, [], [], wait)
            if pipe in ready and _read(pipe, splitter, on_line):
                pipe = -1
    finally:
        os.close(exited)
    end_tree(process, grace=0 if by == "memory" else TERM_GRACE)
    give_up = time.monotonic() + DRAIN
    while pipe >= 0 and time.monotonic() < give_up:
        select.select([pipe], [], [], 0.1)
        if _read(pipe, splitter, on_line):
            break
    for line in splitter.feed(b"", final=True):
        on_line(line)
    return Ended(exit_code=process.wait(), by=by, peak_mib=peak)


def _read(pipe: int, splitter: LineSplitter, on_line: Callable[[str], None]) -> bool:
    """Read what is there; true at the end of the stream."""
    try:
        chunk = os.read(pipe, 65536)
    except BlockingIOError:
        return False
    for line in splitter.feed(chunk):
        on_line(line)
    return not chunk


def end_tree(process: "subprocess.Popen[bytes]", *, grace: float) -> None:
    """End the process and everything that descends from this worker: SIGTERM, grace seconds, SIGKILL."""
    if grace and (process.poll() is None or descendants()):
        _signal_all(process, signal.SIGTERM)
        give_up = time.monotonic() + grace
        while time.monotonic() < give_up and (process.poll() is None or _reap_and_list()):
            time.sleep(0.02)
    give_up = time.monotonic() + 5.0
    while (process.poll() is None or _reap_and_list()) and time.monotonic() < give_up:
        _signal_all(process, signal.SIGKILL)
        time.sleep(0.01)


def _signal_all(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
    for pid in descendants():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _reap_and_list() -> list[int]:
    """Collect adopted children that have ended, so that they do not stay as zombies; then who is left."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return descendants()
