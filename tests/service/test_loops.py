"""The background loops: what SIGTERM ends at once, and what runs until the last request."""

import threading
import time
from types import SimpleNamespace
from typing import Any

from service.loops import Loops

WITHIN = 20.0  # seconds; a deadline, not a measure


class Steps:
    """Stands for every use case that the loops call: each step is counted, and takes a moment."""

    def __init__(self) -> None:
        self.pulls = self.looks = self.launches = 0
        self.stopping = threading.Event()
        nothing = lambda *_: None  # noqa: E731
        self.services: Any = SimpleNamespace(
            stopping=self.stopping,
            fleet=SimpleNamespace(refresh=nothing),
            launcher=SimpleNamespace(
                pull=self.pull, launch_next=self.launch, keep=nothing, give_back=nothing
            ),
            follower=SimpleNamespace(step=self.look),
            board=SimpleNamespace(exchange=nothing),
            coordination=SimpleNamespace(lease=lambda *_: False),
            clock=time.time,
            pool=SimpleNamespace(enabled=False),
            audit=SimpleNamespace(flush=nothing),
            authentication=SimpleNamespace(flush_usage=nothing),
            notifying=SimpleNamespace(close=nothing),
        )

    def pull(self, wait: int) -> int:
        self.pulls += 1
        time.sleep(0.01)
        return 1

    def look(self, wait: int) -> int:
        self.looks += 1
        time.sleep(0.01)
        return 0

    def launch(self, wait: float, sleep: Any) -> bool:
        self.launches += 1
        time.sleep(0.01)
        return True


def alive(name: str) -> bool:
    return any(thread.name.startswith(name) for thread in threading.enumerate())


def until(condition: Any) -> None:
    end = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_sigterm_ends_the_polls_while_what_was_received_is_still_launched() -> None:
    """What is stopping takes no more messages, so that its last poll does not add to its end."""
    steps = Steps()
    loops = Loops(steps.services)
    loops.start()
    try:
        until(lambda: steps.pulls and steps.looks)
        steps.stopping.set()
        until(lambda: not alive("receiver") and not alive("follower"))
        launched = steps.launches
        until(lambda: steps.launches > launched)
    finally:
        loops.stop()
    assert not alive("launcher")
