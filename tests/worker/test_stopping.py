"""How much time is left once a container is told to stop."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from worker import stopping
from worker.stopping import Patience, Stop


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The monotonic clock, moved by the test."""
    now = [1000.0]
    monkeypatch.setattr(stopping.time, "monotonic", lambda: now[0])
    return now  # type: ignore[return-value]


def test_patience_ends_by_its_time(clock: list[float]) -> None:
    patience = Patience(180, Stop(), after_stop=100)
    clock[0] += 170
    assert patience.left() == 10


def test_a_stop_shortens_it_also_when_it_comes_later(clock: list[float]) -> None:
    stop = Stop()
    patience = Patience(180, stop, after_stop=100)
    clock[0] += 20
    stop.set()
    clock[0] += 30
    stop.set()  # a second signal gives no more time
    assert patience.left() == 70
    clock[0] += 71
    assert patience.left() < 0


def test_waiting_ends_with_the_stop() -> None:
    stop = Stop()
    threading.Timer(0.1, stop.set).start()
    begun = time.monotonic()
    assert stop.wait(30)
    assert time.monotonic() - begun < 10
    assert not Stop().wait(0.01)


def test_a_signal_that_comes_while_it_is_waited_for_is_not_in_its_way() -> None:
    stop = Stop()
    before = signal.signal(signal.SIGUSR1, lambda *_: stop.set())
    try:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert stop.wait(30)
    finally:
        signal.signal(signal.SIGUSR1, before)
