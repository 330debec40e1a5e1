"""CloudWatch metrics: every series that a check may want, in one request."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from outpost.names import SERVICE
from runbooks.looking import Answer, Look
from runbooks.target import Target

HOT, CAPPED = ("hot_writes", "hot_reads"), ("capped_writes", "capped_reads")
PERIOD = 60  # seconds; looked back far, it grows so that a series has at most 1,440 points


@dataclass(frozen=True)
class Series:
    """One metric's points, oldest first."""

    label: str
    values: tuple[float, ...]
    times: tuple[float, ...] = ()

    @property
    def highest(self) -> float:
        return max(self.values, default=0.0)

    def total(self, since: float = 0.0, until: float = math.inf) -> float:
        """The sum over periods that start at `since` (seconds since 1970) or later, and before `until`."""
        if not since and until == math.inf:
            return sum(self.values)
        points = zip(self.values, self.times, strict=True)
        return sum(value for value, time in points if since <= time < until)


def _dynamodb(table: str, metric: str, statistic: str, operation: str = "") -> Answer:
    dimensions = [{"Name": "TableName", "Value": table}]
    if operation:
        dimensions.append({"Name": "Operation", "Value": operation})
    return {"Namespace": "AWS/DynamoDB", "MetricName": metric, "Dimensions": dimensions, "Stat": statistic}


def _service(cluster: str, metric: str) -> Answer:
    dimensions = [{"Name": "ClusterName", "Value": cluster}, {"Name": "ServiceName", "Value": SERVICE}]
    return {"Namespace": "AWS/ECS", "MetricName": metric, "Dimensions": dimensions, "Stat": "Maximum"}


def queries(target: Target) -> dict[str, Answer]:
    """Name of each series, and what it is in CloudWatch."""
    jobs = target.names.jobs_table
    return {
        "memory": _service(target.names.cluster, "MemoryUtilization"),
        "cpu": _service(target.names.cluster, "CPUUtilization"),
        "latency_query": _dynamodb(jobs, "SuccessfulRequestLatency", "Average", "Query"),
        "latency_put": _dynamodb(jobs, "SuccessfulRequestLatency", "Average", "PutItem"),
        "throttled": _dynamodb(jobs, "ThrottledRequests", "Sum"),
        "write_throttles": _dynamodb(jobs, "WriteThrottleEvents", "Sum"),
        "read_throttles": _dynamodb(jobs, "ReadThrottleEvents", "Sum"),
        # Why, where DynamoDB says so: a partition's limit, or the table's own maximum.
        "hot_writes": _dynamodb(jobs, "WriteKeyRangeThroughputThrottleEvents", "Sum"),
        "hot_reads": _dynamodb(jobs, "ReadKeyRangeThroughputThrottleEvents", "Sum"),
        "capped_writes": _dynamodb(jobs, "WriteMaxOnDemandThroughputThrottleEvents", "Sum"),
        "capped_reads": _dynamodb(jobs, "ReadMaxOnDemandThroughputThrottleEvents", "Sum"),
        "writes": _dynamodb(jobs, "ConsumedWriteCapacityUnits", "Sum"),
        "reads": _dynamodb(jobs, "ConsumedReadCapacityUnits", "Sum"),
    }


class Metrics:
    def __init__(self, look: Look, target: Target) -> None:
        self._look = look
        self._target = target

    @property
    def period(self) -> int:
        """Seconds that one point stands for."""
        return max(PERIOD, -(-self._target.since // 1440 // PERIOD) * PERIOD)

    def _start(self) -> datetime:
        """Where the first period starts: on a whole one, so that a second look sees the same periods."""
        earliest = self._target.now.timestamp() - self._target.since
        return datetime.fromtimestamp(earliest // self.period * self.period, UTC)

    def series(self, name: str) -> Series:
        """One of `queries`; empty when CloudWatch has no points."""
        answer = self._look(
            "cloudwatch:GetMetricData",
            MetricDataQueries=[
                {
                    "Id": label,
                    "MetricStat": {
                        "Metric": {key: query[key] for key in ("Namespace", "MetricName", "Dimensions")},
                        "Period": self.period,
                        "Stat": query["Stat"],
                    },
                }
                for label, query in queries(self._target).items()
            ],
            StartTime=self._start().isoformat(),
            EndTime=self._target.now.isoformat(),
            ScanBy="TimestampAscending",
        )
        points: list[tuple[float, float]] = []  # a long series is spread over pages
        for result in answer.get("MetricDataResults", []):
            if result["Id"] == name:
                stamps = (stamp.timestamp() for stamp in result.get("Timestamps", []))
                points += zip(stamps, result.get("Values", []), strict=True)
        points.sort()
        return Series(name, tuple(value for _, value in points), tuple(time for time, _ in points))

    def alarm_history(self) -> list[Answer]:
        """State changes of the stack's alarms within the look-back."""
        answer = self._look(
            "cloudwatch:DescribeAlarmHistory",
            HistoryItemType="StateUpdate",
            StartDate=(self._target.now - timedelta(seconds=self._target.since)).isoformat(),
            EndDate=self._target.now.isoformat(),
            PaginationConfig={"MaxItems": 500},
        )
        prefix = f"outpost-{self._target.stack}-"
        return [item for item in answer.get("AlarmHistoryItems", []) if item["AlarmName"].startswith(prefix)]

    def peak(self, name: str) -> float:
        """The highest rate of a series of sums, per second.

        By whole periods where they show any: the one that is going on grows with each look, and a plan
        that is made for it would be another at the next.
        """
        series, now = self.series(name), self._target.now.timestamp()
        points = zip(series.values, series.times, strict=True)
        whole = max((value for value, time in points if time + self.period <= now), default=0.0)
        return (whole or series.highest) / self.period

    def hot_throttles(self, since: float = 0.0) -> float:
        """Requests that DynamoDB throttled because one partition was at its limit."""
        return sum(self.series(name).total(since) for name in HOT)

    def capped_throttles(self, since: float = 0.0) -> float:
        """Requests that DynamoDB throttled because an on-demand table was at the maximum it is set."""
        return sum(self.series(name).total(since) for name in CAPPED)

    def throttles(self, since: float = 0.0, until: float = math.inf) -> float:
        """Throttled requests of the jobs table within the look-back, by whichever metric shows more.

        Of all three, `since` leaves out the periods that start earlier (seconds since 1970).
        """
        kinds = (("throttled",), ("write_throttles", "read_throttles"), HOT, CAPPED)
        return max(sum(self.series(name).total(since, until) for name in names) for names in kinds)
