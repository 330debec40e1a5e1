"""What CloudWatch keeps of one metric in one minute, and the statistics that it computes from it."""

import re
from collections.abc import Iterable

PLAIN = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")


class Bucket:
    """One minute of a metric, or several merged. Percentiles are exact to four digits.

    `values` counts how often each (rounded) value came. A statistic set that was put whole has no values: of
    it there are no percentiles, as in CloudWatch, unless it is of one value.
    """

    __slots__ = ("count", "high", "low", "total", "values")

    def __init__(self) -> None:
        self.count = 0.0
        self.total = 0.0
        self.low = float("inf")
        self.high = float("-inf")
        self.values: dict[float, float] | None = {}

    def add(self, value: float, times: float = 1) -> None:
        self._extend(times, value * times, value, value)
        if self.values is not None:
            rounded = float(f"{value:.4g}")
            self.values[rounded] = self.values.get(rounded, 0) + times

    def add_set(self, count: float, total: float, low: float, high: float) -> None:
        """Put a statistic set."""
        if low == high:
            self.add(low, count)
            return
        self._extend(count, total, low, high)
        self.values = None

    def merge(self, other: "Bucket") -> None:
        self._extend(other.count, other.total, other.low, other.high)
        if self.values is None or other.values is None:
            self.values = None
            return
        for value, times in other.values.items():
            self.values[value] = self.values.get(value, 0) + times

    def statistic(self, name: str) -> float | None:
        """None where there is no such statistic of this data. Raises `ValueError` for an unknown one."""
        if name == "SampleCount":
            return self.count
        if name == "Average":
            return self.total / self.count if self.count else None
        if name == "Sum":
            return self.total
        if name in ("Minimum", "Maximum"):
            return (self.low if name == "Minimum" else self.high) if self.count else None
        return self._percentile(percent(name))

    def _percentile(self, wanted: float) -> float | None:
        if not self.values or not self.count:
            return None
        rank, seen = self.count * wanted / 100, 0.0
        for value in sorted(self.values):
            seen += self.values[value]
            if seen >= rank:
                return min(max(value, self.low), self.high)
        return self.high

    def _extend(self, count: float, total: float, low: float, high: float) -> None:
        self.count += count
        self.total += total
        self.low, self.high = min(self.low, low), max(self.high, high)


def percent(statistic: str) -> float:
    """The number of a percentile's name, `p95` or `p99.9`. Raises `ValueError` for any other statistic."""
    match = _PERCENTILE.fullmatch(statistic)
    if not match:
        raise ValueError(f"the local region computes no statistic {statistic}")
    return float(match[1])


def merged(buckets: Iterable[Bucket]) -> Bucket | None:
    """All of them as one; None when there are none."""
    whole: Bucket | None = None
    for bucket in buckets:
        if whole is None:
            whole = Bucket()
        whole.merge(bucket)
    return whole
