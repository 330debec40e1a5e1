"""Faults that let an agent run into its deadline: recordings of the real CLIs, played by the stand-in."""

from functools import partial

from tests.runbooks.faults.stack import Fault, Stack

SHORTEST = 30  # seconds; the least that the API takes for a dispatch


def played(recording: str, stack: Stack) -> None:
    """A dispatch whose agent says what the recording says, and then works on until its deadline."""
    stack.dispatch(f"rehearse: replay {recording}", timeoutSeconds=SHORTEST)


FAULTS = tuple(
    Fault(f"agent-timeout/{cause}", partial(played, cause))
    for cause in ("task-too-complex", "model-rate-limited", "network-unreachable", "no-progress-loop")
)
