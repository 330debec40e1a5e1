"""Being told to stop: what is left of the time that a container has between SIGTERM and SIGKILL."""

import time

POLL = 0.1  # seconds
# Seconds after SIGTERM by which each is done. The task definition's stopTimeout is 120 s, Fargate's maximum;
# 10 of them go to the agent's own end (`worker.process.TERM_GRACE`).
COLLECTED_BY, REPORTED_BY = 60.0, 105.0


class Stop:
    """Set by the handler of SIGTERM.

    Without a lock, unlike `threading.Event`: a handler runs between two steps of the main thread, and would
    wait for ever for a lock that the main thread holds just then.
    """

    def __init__(self) -> None:
        self._at: float | None = None

    def set(self) -> None:
        if self._at is None:
            self._at = time.monotonic()

    def is_set(self) -> bool:
        return self._at is not None

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; whether it was set."""
        end = time.monotonic() + seconds
        while not self.is_set() and (left := end - time.monotonic()) > 0:
            time.sleep(min(POLL, left))
        return self.is_set()

    def left(self, seconds: float) -> float:
        """What is left of so many seconds after the stop; infinite as long as there is none."""
        return float("inf") if self._at is None else self._at + seconds - time.monotonic()


class Patience:
    """For how long something is tried: `seconds` from now, and at most `after_stop` after a stop."""

    def __init__(self, seconds: float, stop: Stop | None = None, after_stop: float = REPORTED_BY) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._stop = stop or Stop()
        self._after_stop = after_stop

    def left(self) -> float:
        """Seconds; negative when it is over."""
        return min(self._end - time.monotonic(), self._stop.left(self._after_stop))
