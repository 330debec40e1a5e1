"""CloudWatch Logs: filter patterns mean what they mean on AWS, and events come in the order of time.

FilterLogEvents of AWS goes over all streams in the order of time always ("interleaved" is deprecated and
ignored), moto's only when it is asked to; a pattern that moto does not know matches everything there.
"""

from typing import Any

from moto.logs import models
from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogGroup, LogsBackend

from local.cloudwatch.patterns import Matcher, PatternError, compiled

_filtered = LogGroup.filter_log_events
_put_filter = LogsBackend.put_metric_filter


def install() -> None:
    LogGroup.filter_log_events = _filter_log_events
    LogsBackend.put_metric_filter = _put_metric_filter
    models.EventMessageFilter = _Filter


class _Filter:
    def __init__(self, pattern: str | None) -> None:
        self.matches = _understood(pattern or "")


def _filter_log_events(group: LogGroup, *arguments: Any) -> Any:
    return _filtered(group, *arguments[:-1], True)


def _put_metric_filter(
    backend: Any, name: str, pattern: str, log_group_name: str, transformations: Any
) -> None:
    """Replaces the group's filter of the same name, which moto would keep beside the new one."""
    _understood(pattern)
    backend.filters.metric_filters = [
        each
        for each in backend.filters.metric_filters
        if (each["logGroupName"], each["filterName"]) != (log_group_name, name)
    ]
    _put_filter(backend, name, pattern, log_group_name, transformations)


def _understood(pattern: str) -> Matcher:
    try:
        return compiled(pattern)
    except PatternError as error:
        raise InvalidParameterException(str(error)) from None
