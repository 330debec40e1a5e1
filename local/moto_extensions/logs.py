"""CloudWatch Logs: FilterLogEvents answers in the order of time, over all streams.

AWS does so always ("interleaved" is deprecated and ignored); moto does so only when it is asked to.
"""

from typing import Any

from moto.logs.models import LogGroup

_filtered = LogGroup.filter_log_events


def install() -> None:
    LogGroup.filter_log_events = _filter_log_events


def _filter_log_events(group: LogGroup, *arguments: Any) -> Any:
    return _filtered(group, *arguments[:-1], True)
