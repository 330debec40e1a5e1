"""CloudWatch: metrics by the minute with percentiles, an alarm's history, and its state as AWS has it.

moto keeps a list of values that every question goes through, knows no percentiles and no history, and says of
a new alarm that it is OK.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterValue, ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from local.cloudwatch import history
from local.cloudwatch.expressions import ExpressionError, Points, compute
from local.cloudwatch.series import MINUTE, AllSeries, Key, key_of
from local.cloudwatch.statistics import PLAIN

ALARMS_PER_PAGE = 100

_made = CloudWatchBackend.__init__
_put_alarm = CloudWatchBackend.put_metric_alarm
_delete_alarms = CloudWatchBackend.delete_alarms
_set_state = CloudWatchBackend.set_alarm_state


def install() -> None:
    CloudWatchBackend.__init__ = _make
    CloudWatchBackend.put_metric_data = _put_metric_data
    CloudWatchBackend.get_metric_data = _get_metric_data
    CloudWatchBackend.get_filtered_metrics = _get_filtered_metrics
    CloudWatchBackend.put_metric_alarm = _put_metric_alarm
    CloudWatchBackend.delete_alarms = _delete
    CloudWatchBackend.set_alarm_state = _set_alarm_state
    CloudWatchResponse.get_metric_statistics = _get_metric_statistics
    CloudWatchResponse.describe_alarms = _describe_alarms
    CloudWatchResponse.describe_alarm_history = _describe_alarm_history


def _make(backend: Any, *arguments: Any, **parameters: Any) -> None:
    _made(backend, *arguments, **parameters)
    backend.series = AllSeries()
    backend.alarm_history = history.History()
    backend.changed = lambda alarm, old: None  # told of a state that SetAlarmState has set


# --- metrics


def _put_metric_data(backend: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
    for number, datum in enumerate(metric_data):
        backend._validate_parameters_put_metric_data(datum, number + 1)
    now = datetime.now(UTC)
    for datum in metric_data:
        key = key_of(namespace, datum["MetricName"], _pairs(datum.get("Dimensions")))
        bucket = backend.series.bucket(key, _seconds(datum.get("Timestamp") or now), datum.get("Unit") or "")
        if datum.get("Values"):
            counts = datum.get("Counts") or [1] * len(datum["Values"])
            for value, times in zip(datum["Values"], counts, strict=True):
                bucket.add(float(value), float(times))
        elif datum.get("StatisticValues"):
            given = datum["StatisticValues"]
            bucket.add_set(*(float(given[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum")))
        else:
            bucket.add(float(datum.get("Value") or 0))


def _get_metric_data(
    backend: Any, queries: list[dict[str, Any]], start_time: datetime, end_time: datetime, scan_by: str = ""
) -> list[dict[str, Any]]:
    start, end = int(_seconds(start_time)) // MINUTE * MINUTE, int(_seconds(end_time))
    if end <= int(_seconds(start_time)):
        raise ValidationError("The parameter EndTime must be greater than StartTime.")
    by_id: dict[str, Points] = {}
    period = MINUTE
    for query in queries:
        if "MetricStat" in query:
            wanted = query["MetricStat"]
            period = int(wanted["Period"])
            by_id[query["Id"]] = _points(backend.series, wanted, start, end)
    for query in queries:
        if "Expression" in query:
            starts = range(start, end, int(query.get("Period") or period))
            try:
                by_id[query["Id"]] = compute(query["Expression"], by_id, starts)
            except ExpressionError as error:
                raise ValidationError(str(error)) from None
    return [
        _result(query, by_id[query["Id"]], newest_first=scan_by != "TimestampAscending")
        for query in queries
        if query.get("ReturnData", True)
    ]


def _points(series: AllSeries, wanted: dict[str, Any], start: int, end: int) -> Points:
    metric = wanted["Metric"]
    key = key_of(metric["Namespace"], metric["MetricName"], _pairs(metric.get("Dimensions")))
    if wanted.get("Unit") and wanted["Unit"] != series.unit(key):
        return {}
    try:
        return series.points(key, wanted["Stat"], int(wanted["Period"]), start, end)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _result(query: dict[str, Any], points: Points, *, newest_first: bool) -> dict[str, Any]:
    ordered = sorted(points.items(), reverse=newest_first)
    stat = query.get("MetricStat")
    name = f"{stat['Metric']['MetricName']} {stat['Stat']}" if stat else query["Id"]
    return {
        "id": query["Id"],
        "label": query.get("Label") or name,
        "values": [value for _, value in ordered],
        "timestamps": [_naive(at) for at, _ in ordered],
        "status_code": "Complete",
    }


def _get_metric_statistics(self: CloudWatchResponse) -> ActionResult:
    """Every period is a datapoint with all of the statistics that were asked for."""
    plain = self._get_param("Statistics", [])
    extended = self._get_param("ExtendedStatistics", [])
    start = int(_seconds(self._get_param("StartTime"))) // MINUTE * MINUTE
    end = int(_seconds(self._get_param("EndTime")))
    if start >= end:
        raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
    unknown = [name for name in plain if name not in PLAIN]
    if unknown or not (plain or extended):
        raise InvalidParameterValue(f"Must specify either Statistics or ExtendedStatistics {unknown or ''}")
    name, series = self._get_param("MetricName"), self.cloudwatch_backend.series
    key = key_of(self._get_param("Namespace"), name, _pairs(self._get_param("Dimensions", [])))
    unit = series.unit(key)
    datapoints = []
    if self._get_param("Unit") in (None, unit):
        for begins, bucket in series.periods(key, self._get_int_param("Period"), start, end):
            point: dict[str, Any] = {"Timestamp": _naive(begins), "Unit": unit}
            try:
                point |= {each: bucket.statistic(each) for each in plain}
                percentiles = {each: bucket.statistic(each) for each in extended}
            except ValueError as error:
                raise InvalidParameterValue(str(error)) from None
            if percentiles:
                point["ExtendedStatistics"] = percentiles
            datapoints.append(point)
    return ActionResult({"Label": name, "Datapoints": datapoints})


def _get_filtered_metrics(
    backend: Any, metric_name: str | None, namespace: str | None, dimensions: list[dict[str, str]]
) -> list[dict[str, Any]]:
    """For ListMetrics; a dimension that is asked for without a value may have any."""

    def wanted(key: Key) -> bool:
        held = dict(key[2])
        return (
            namespace in (None, "", key[0])
            and metric_name in (None, "", key[1])
            and all(
                each["Name"] in held and each.get("Value") in (None, held[each["Name"]])
                for each in dimensions or []
            )
        )

    return [
        {
            "Namespace": key[0],
            "MetricName": key[1],
            "Dimensions": [{"Name": name, "Value": value} for name, value in key[2]],
        }
        for key in backend.series.known()
        if wanted(key)
    ]


# --- alarms


def _put_metric_alarm(backend: Any, name: str, *arguments: Any, **parameters: Any) -> Alarm:
    before = backend.alarms.get(name)
    alarm = _put_alarm(backend, name, *arguments, **parameters)
    if before is None:
        alarm.state_value = "INSUFFICIENT_DATA"
    else:  # a changed alarm keeps its state until it is evaluated
        for kept in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp"):
            setattr(alarm, kept, getattr(before, kept))
    backend.alarm_history.configured(alarm, "created" if before is None else "updated")
    return alarm


def _delete(backend: Any, alarm_names: list[str]) -> None:
    for name in alarm_names:
        if name in backend.alarms:
            backend.alarm_history.configured(backend.alarms[name], "deleted")
    _delete_alarms(backend, alarm_names)


def _set_alarm_state(backend: Any, alarm_name: str, reason: str, reason_data: str, state_value: str) -> None:
    alarm = backend.alarms.get(alarm_name)
    old = alarm.state_value if alarm else ""
    _set_state(backend, alarm_name, reason, reason_data or "{}", state_value)
    if old != state_value:
        backend.changed(alarm, old)


def _describe_alarms(self: CloudWatchResponse) -> ActionResult:
    """All filters count together; moto heeds the first only."""
    names = self._get_param("AlarmNames", [])
    prefix = self._get_param("AlarmNamePrefix") or ""
    action = self._get_param("ActionPrefix") or ""
    state = self._get_param("StateValue")
    kinds = self._get_param("AlarmTypes", []) or ["MetricAlarm"]
    chosen = [
        alarm
        for alarm in sorted(self.cloudwatch_backend.describe_alarms(), key=lambda each: each.name)
        if (not names or alarm.name in names)
        and alarm.name.startswith(prefix)
        and (not action or any(each.startswith(action) for each in alarm.alarm_actions))
        and state in (None, alarm.state_value)
        and ("CompositeAlarm" if alarm.rule is not None else "MetricAlarm") in kinds
    ]
    page, token = _page(chosen, self._get_param("NextToken"), self._get_param("MaxRecords"))
    return ActionResult(
        {
            "MetricAlarms": [alarm for alarm in page if alarm.rule is None],
            "CompositeAlarms": [alarm for alarm in page if alarm.rule is not None],
            "NextToken": token,
        }
    )


def _describe_alarm_history(self: CloudWatchResponse) -> ActionResult:
    start, end = self._get_param("StartDate"), self._get_param("EndDate")
    items = self.cloudwatch_backend.alarm_history.items(
        alarm=self._get_param("AlarmName"),
        kinds=self._get_param("AlarmTypes", []),
        item_type=self._get_param("HistoryItemType"),
        start=_aware(start) if start else None,
        end=_aware(end) if end else None,
        oldest_first=self._get_param("ScanBy") == "TimestampAscending",
    )
    page, token = _page(items, self._get_param("NextToken"), self._get_param("MaxRecords"))
    return ActionResult({"AlarmHistoryItems": [item.shown() for item in page], "NextToken": token})


def _page(found: list[Any], token: str | None, wanted: int | None) -> tuple[list[Any], str | None]:
    """At most 100 are told at once; the token says how many have been."""
    if token and not token.isdigit():
        raise InvalidParameterValue("Request parameter NextToken is invalid")
    first = int(token or 0)
    last = first + min(int(wanted or ALARMS_PER_PAGE), ALARMS_PER_PAGE)
    return found[first:last], str(last) if last < len(found) else None


def _pairs(dimensions: Iterable[dict[str, str]] | None) -> list[tuple[str, str]]:
    return [(each["Name"], each["Value"]) for each in dimensions or []]


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _seconds(moment: datetime) -> float:
    return _aware(moment).timestamp()


def _naive(seconds: int) -> datetime:
    """moto renders times without a zone as UTC."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
