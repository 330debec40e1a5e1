"""Token buckets on clocks that are set."""

from service.domain.rates import TokenBucket

HOUR = 3600


def test_a_clock_that_is_set_back_does_not_empty_a_bucket_for_hours() -> None:
    bucket = TokenBucket(rate=1, burst=10, now=HOUR)
    assert bucket.take(HOUR, 10) == 0
    assert bucket.take(0.0) == 1
    assert bucket.take(1.0) == 0


def test_looks_at_the_clock_in_another_order_gain_nothing() -> None:
    bucket = TokenBucket(rate=1, burst=10, now=100.0)
    assert bucket.take(100.0, 10) == 0
    taken = sum(bucket.take(moment) == 0 for _ in range(100) for moment in (100.5, 100.0))
    assert taken == 0
