"""Every metric's values by the minute: what PutMetricData, log filters and AWS's services have measured."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from local.cloudwatch.statistics import Bucket, merged

MINUTE = 60
RETENTION = 15 * 24 * 60 * MINUTE  # seconds that CloudWatch keeps values by the minute

Dimensions = tuple[tuple[str, str], ...]
Key = tuple[str, str, Dimensions]  # namespace, name, dimensions in the order of their names


def key_of(namespace: str, name: str, dimensions: Iterable[tuple[str, str]]) -> Key:
    """A metric is its namespace, name and all of its dimensions; their order does not matter."""
    return namespace, name, tuple(sorted(dimensions))


@dataclass
class Metric:
    """One metric: its unit, and its minutes by the second since 1970 at which they start."""

    unit: str = "None"
    minutes: dict[int, Bucket] = field(default_factory=dict)


class AllSeries:
    """Callers hold the region's lock."""

    def __init__(self) -> None:
        self._metrics: dict[Key, Metric] = {}

    def bucket(self, key: Key, at: float, unit: str = "") -> Bucket:
        """The minute of a metric in which `at` lies, made when it is not there."""
        metric = self._metrics.get(key)
        if metric is None:
            metric = self._metrics[key] = Metric()
        if unit:
            metric.unit = unit
        minute = int(at) // MINUTE * MINUTE
        found = metric.minutes.get(minute)
        if found is None:
            found = metric.minutes[minute] = Bucket()
        return found

    def known(self) -> list[Key]:
        return list(self._metrics)

    def unit(self, key: Key) -> str:
        metric = self._metrics.get(key)
        return metric.unit if metric else "None"

    def periods(self, key: Key, period: int, start: int, end: int) -> Iterator[tuple[int, Bucket]]:
        """Start and data of each period from `start` to `end` (exclusive) that has any, oldest first."""
        metric = self._metrics.get(key)
        if metric is None:
            return
        grouped: dict[int, list[Bucket]] = {}
        for minute in _within(metric.minutes, start, end):
            begins = start + (minute - start) // period * period
            grouped.setdefault(begins, []).append(metric.minutes[minute])
        for begins in sorted(grouped):
            parts = grouped[begins]
            whole = parts[0] if len(parts) == 1 else merged(parts)
            if whole is not None:
                yield begins, whole

    def points(self, key: Key, statistic: str, period: int, start: int, end: int) -> dict[int, float]:
        """One statistic of each period that has data. Raises `ValueError` for an unknown statistic."""
        found = {}
        for begins, bucket in self.periods(key, period, start, end):
            value = bucket.statistic(statistic)
            if value is not None:
                found[begins] = value
        return found

    def shift(self, seconds: int) -> None:
        """Let all of it have been so much earlier; whole minutes."""
        for metric in self._metrics.values():
            metric.minutes = {minute - seconds: bucket for minute, bucket in metric.minutes.items()}

    def forget(self, before: float) -> None:
        """Drop the minutes that CloudWatch would not keep either."""
        for metric in self._metrics.values():
            for minute in [each for each in metric.minutes if each < before]:
                del metric.minutes[minute]


def _within(minutes: dict[int, Bucket], start: int, end: int) -> list[int]:
    first = -(-start // MINUTE) * MINUTE
    if (end - first) // MINUTE < len(minutes):
        return [minute for minute in range(first, end, MINUTE) if minute in minutes]
    return [minute for minute in minutes if first <= minute < end]
