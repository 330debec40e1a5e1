"""Rates: a token bucket, and one per key."""

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil


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
        self._at = max(self._at, now)
        if self._tokens + 1e-9 >= n:
            self._tokens -= n
            return 0.0
        return (n - self._tokens) / self.rate

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

    def headers(self) -> dict[str, str]:
        told = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }
        return told if self.granted else told | {"Retry-After": str(self.retry_after)}


class RequestRates:
    """Requests a minute per API key, shared evenly by the replicas. Keeps the `size` latest keys."""

    def __init__(self, *, size: int = 10_000) -> None:
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()
        self._size = size

    def take(self, key_id: str, per_minute: int, replicas: int, now: float) -> Allowance:
        """Count one request. A replica grants its share, so that together they grant the limit."""
        burst = max(1.0, per_minute / max(1, replicas))
        bucket = self._buckets.get(key_id)
        if bucket is None or bucket.burst != burst:
            bucket = self._buckets[key_id] = TokenBucket(burst / 60, burst, now)
        self._buckets.move_to_end(key_id)
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
