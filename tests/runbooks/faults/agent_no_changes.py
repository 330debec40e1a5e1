"""Faults that let an agent end well without a change: recordings of the real CLIs, played by the stand-in."""

from functools import partial

from tests.runbooks.faults.stack import Fault, Stack

SPEAKER = {"read-only-mode": "codex"}  # whose recording it is; the others are claude's


def played(recording: str, stack: Stack) -> None:
    stack.dispatch(f"rehearse: replay {recording}", agent=SPEAKER.get(recording, "claude"))


FAULTS = tuple(
    Fault(f"agent-no-changes/{cause}", partial(played, cause))
    for cause in ("task-misunderstood", "wrong-branch", "file-not-found", "read-only-mode")
)
