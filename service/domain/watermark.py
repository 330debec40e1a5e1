"""How far the launch queue has been read: what was queued before that and never came is lost."""

from collections import deque

WINDOW = 50  # messages: SQS keeps their order only roughly, so the oldest of the last few tells how far


class Watermark:
    """The time up to which messages have been received. Not safe from several threads by itself."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._empty_at: float | None = None

    def received(self, queued_at: float) -> None:
        """A message came that could be received from `queued_at` on (epoch seconds)."""
        self._recent.append(queued_at)

    def empty(self, now: float) -> None:
        """The queue had nothing to give."""
        self._recent.clear()
        self._empty_at = now

    @property
    def read_to(self) -> float | None:
        """Epoch seconds; None while too little has been received to tell."""
        if len(self._recent) == WINDOW:
            return max(min(self._recent), self._empty_at or 0.0)
        return self._empty_at
