"""Rates: a token bucket, one per key or source of requests, and a window of dispatches posted."""

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil

MINUTE = 60  # seconds: the period of every request rate
CLOCK_SET_BACK = 1.0  # seconds


class TokenBucket:
    """`rate` tokens a second, at most `burst` saved up. The clock is the caller's."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, n: float = 1) -> float:
        """Take `n` tokens and return 0, or take none and return the seconds until they will be there."""
        self._tokens = min(self.burst, self._tokens + max(0.0, now - self._at) * self.rate)
        # Two threads may ask in another order than they looked at the clock; a clock that was set back must
        # not keep the bucket empty until it is again as late as it was.
        self._at = max(self._at, now) if self._at - now < CLOCK_SET_BACK else now
        if self._tokens + 1e-9 >= n:
            self._tokens -= n
            return 0.0
        return (n - self._tokens) / self.rate

    def give_back(self) -> None:
        """Return one token that was taken and not used."""
        self._tokens = min(self.burst, self._tokens + 1)

    def remaining(self) -> int:
        return int(self._tokens)


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What `X-RateLimit-*` and `Retry-After` tell. Seconds."""

    limit: int
    remaining: int
    reset: int
    retry_after: int = 0

    @property
    def granted(self) -> bool:
        return self.retry_after == 0

    @classmethod
    def none(cls, limit: int, seconds: float) -> "Allowance":
        """Nothing is left of `limit` for this long."""
        wait = max(1, ceil(seconds))
        return cls(limit=limit, remaining=0, reset=wait, retry_after=wait)

    def headers(self) -> dict[str, str]:
        told = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }
        return told if self.granted else told | {"Retry-After": str(self.retry_after)}


class Buckets:
    """One token bucket of a minute's allowance for each name. Keeps the `size` latest names."""

    def __init__(self, *, size: int = 10_000) -> None:
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()
        self._size = size

    def take(self, name: str, per_minute: int, now: float, *, shares: int = 1) -> Allowance:
        """Count one request against this process's share of the limit; it tells the whole limit."""
        burst = max(1.0, per_minute / max(1, shares))
        bucket = self._buckets.get(name)
        if bucket is None or bucket.burst != burst:
            bucket = self._buckets[name] = TokenBucket(burst / MINUTE, burst, now)
        self._buckets.move_to_end(name)
        while len(self._buckets) > self._size:
            self._buckets.popitem(last=False)
        wait = bucket.take(now)
        remaining = bucket.remaining()
        return Allowance(
            limit=per_minute,
            remaining=remaining,
            reset=ceil((burst - remaining) / bucket.rate),
            retry_after=ceil(wait),
        )

    def give_back(self, name: str) -> None:
        """Return what was taken: it need not have been counted."""
        bucket = self._buckets.get(name)
        if bucket is not None:
            bucket.give_back()


def minute_of(now: float) -> int:
    """The minute that a dispatch posted now is counted in, and the same on every replica."""
    return int(now // MINUTE)


def to_next_minute(now: float) -> float:
    """Seconds until a new minute is counted."""
    return MINUTE - now % MINUTE


class PostWindows:
    """Posts of a key in this minute, as far as this process knows. Keeps the `size` latest keys.

    The count that decides is in the table, written with each dispatch (ADR 0021). This one keeps a flood
    away from it: no process lets more through than the limit, nor any once the table has refused one.
    """

    def __init__(self, *, size: int = 10_000) -> None:
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._size = size

    def take(self, key_id: str, per_minute: int, now: float) -> Allowance:
        """Count one post."""
        minute = minute_of(now)
        counted, count = self._counts.get(key_id, (minute, 0))
        if counted != minute:
            count = 0
        if count >= per_minute:
            return Allowance.none(per_minute, to_next_minute(now))
        self._put(key_id, minute, count + 1)
        return Allowance(
            limit=per_minute, remaining=per_minute - count - 1, reset=max(1, ceil(to_next_minute(now)))
        )

    def exhausted(self, key_id: str, per_minute: int, now: float) -> None:
        """The table says that the replicas together have granted the limit."""
        self._put(key_id, minute_of(now), per_minute)

    def _put(self, key_id: str, minute: int, count: int) -> None:
        self._counts[key_id] = (minute, count)
        self._counts.move_to_end(key_id)
        while len(self._counts) > self._size:
            self._counts.popitem(last=False)
