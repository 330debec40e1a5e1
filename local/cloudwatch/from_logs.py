"""Metrics out of log events as they are put: metric filters, and the embedded metric format (EMF)."""

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from moto.logs.models import LogGroup

from local.aws.moto_app import backend
from local.cloudwatch.patterns import compiled
from local.cloudwatch.patterns_json import parsed
from local.cloudwatch.series import AllSeries, key_of

log = logging.getLogger(__name__)
EMF = '"_aws"'  # what a line in the embedded metric format contains
_put = LogGroup.put_log_events


def install(series: Callable[[], AllSeries]) -> None:
    """Measure every event that is put to a log group; the region's lock is held then."""

    def put_log_events(group: Any, log_stream_name: str, log_events: list[dict[str, Any]]) -> Any:
        answer = _put(group, log_stream_name, log_events)
        measure(series(), _filters(group.name), log_events)
        return answer

    LogGroup.put_log_events = put_log_events


def _filters(group: str) -> list[dict[str, Any]]:
    filters = backend("logs").filters.metric_filters
    return [each for each in filters if each["logGroupName"] == group]


def measure(series: AllSeries, filters: list[dict[str, Any]], events: Iterable[dict[str, Any]]) -> None:
    """Record what the filters and the events' own metrics say, in the minute of each event."""
    matchers = [(compiled(each["filterPattern"]), each["metricTransformations"]) for each in filters]
    for event in events:
        message, at = str(event["message"]), event["timestamp"] / 1000
        for matches, transformations in matchers:
            hit = matches(message)
            for transformation in transformations:
                _transform(series, transformation, message, at, hit)
        if EMF in message:
            document = parsed(message)
            if document is not None:
                _embedded(series, document, at)


def _transform(series: AllSeries, to: dict[str, Any], message: str, at: float, hit: bool) -> None:
    """The value of an event that matches; of one that does not, the default value."""
    dimensions = to.get("dimensions") or {}
    if not hit:
        if to.get("defaultValue") is not None and not dimensions:
            key = key_of(to["metricNamespace"], to["metricName"], ())
            bucket = series.bucket(key, at, to.get("unit") or "")
            if not bucket.count:  # a minute with a match has no need of the default
                bucket.add(float(to["defaultValue"]))
        return
    document = parsed(message) if dimensions or str(to["metricValue"]).startswith("$") else None
    value = _selected(document, str(to["metricValue"]))
    named = [(name, _selected(document, selector)) for name, selector in dimensions.items()]
    try:
        amount = float(value)
    except (TypeError, ValueError):
        return  # CloudWatch publishes nothing for a value that is no number
    if any(each is None for _, each in named):
        return
    key = key_of(to["metricNamespace"], to["metricName"], [(name, str(each)) for name, each in named])
    series.bucket(key, at, to.get("unit") or "").add(amount)


def _selected(document: dict[str, Any] | None, selector: str) -> Any:
    """A number as it stands, or a member by its selector (`$.a.b`); None when it is not there."""
    if not selector.startswith("$"):
        return selector
    value: Any = document
    for name in selector.removeprefix("$.").split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _embedded(series: AllSeries, document: dict[str, Any], at: float) -> None:
    """CloudWatch user guide, "Specification: Embedded metric format"; what does not follow it is dropped."""
    try:
        metadata = document["_aws"]
        moment = float(metadata.get("Timestamp", at * 1000)) / 1000
        for directive in metadata["CloudWatchMetrics"]:
            for names in directive.get("Dimensions") or [[]]:
                dimensions = [(name, str(document[name])) for name in names]
                for metric in directive["Metrics"]:
                    key = key_of(directive["Namespace"], metric["Name"], dimensions)
                    bucket = series.bucket(key, moment, metric.get("Unit", ""))
                    value = document[metric["Name"]]
                    for each in value if isinstance(value, list) else [value]:
                        bucket.add(float(each))
    except (KeyError, TypeError, ValueError) as error:
        log.warning("not in the embedded metric format (%r): %s", error, json.dumps(document)[:300])
