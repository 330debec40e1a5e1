"""What DescribeAlarmHistory tells: changes of an alarm's configuration and state, and its actions."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

KEPT = timedelta(days=30)  # as CloudWatch does


@dataclass(frozen=True)
class Item:
    """`type` is ConfigurationUpdate, StateUpdate or Action; `data` is JSON."""

    alarm: str
    kind: str
    time: datetime
    type: str
    summary: str
    data: str

    def shown(self) -> dict[str, Any]:
        return {
            "AlarmName": self.alarm,
            "AlarmType": self.kind,
            "Timestamp": self.time.replace(tzinfo=None),
            "HistoryItemType": self.type,
            "HistorySummary": self.summary,
            "HistoryData": self.data,
        }


class History:
    """Of all alarms, also of deleted ones; callers hold the region's lock."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def add(self, alarm: Any, type: str, summary: str, data: dict[str, Any]) -> None:
        kind = "CompositeAlarm" if alarm.rule is not None else "MetricAlarm"
        now = datetime.now(UTC)
        self._items.append(Item(alarm.name, kind, now, type, summary, json.dumps({"version": "1.0", **data})))
        if self._items[0].time < now - KEPT:
            self._items = [item for item in self._items if item.time >= now - KEPT]

    def configured(self, alarm: Any, how: str) -> None:
        """`how` is created, updated or deleted."""
        kind = {"created": "Create", "updated": "Update", "deleted": "Delete"}[how]
        self.add(alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" {how}', {"type": kind})

    def items(
        self,
        *,
        alarm: str | None = None,
        kinds: list[str] | None = None,
        item_type: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        oldest_first: bool = False,
    ) -> list[Item]:
        """Those that every filter lets through; without kinds, of metric alarms only, as on AWS."""
        chosen = [
            item
            for item in self._items
            if alarm in (None, item.alarm)
            and item.kind in (kinds or ["MetricAlarm"])
            and item_type in (None, item.type)
            and (start is None or item.time >= start)
            and (end is None or item.time <= end)
        ]
        chosen.sort(key=lambda item: item.time, reverse=not oldest_first)
        return chosen

    def shift(self, seconds: int) -> None:
        """Let all of it have been so much earlier."""
        earlier = timedelta(seconds=seconds)
        self._items = [replace(item, time=item.time - earlier) for item in self._items]
