"""Processes that do not outlive their parent (Linux's prctl; elsewhere nothing is promised)."""

import ctypes
import os
import signal
import sys

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def die_with_parent(parent: int, signal_number: int = signal.SIGKILL) -> None:
    """Send this process `signal_number` when `parent` ends; at once if it has ended already.

    The kernel means the thread that forked, so the forking thread must live as long as the parent does.
    """
    _prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal_number)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def kill_descendants() -> None:
    """Kill and reap every descendant of this process, which must have called `adopt_orphans`."""
    while True:
        for child in psutil.Process().children():
            child.kill()
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
