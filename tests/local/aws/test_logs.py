"""CloudWatch Logs as AWS answers it."""

import time

import pytest

from local.testing import LocalRegion

pytestmark = pytest.mark.region


def test_events_of_several_streams_come_in_the_order_of_time(empty_region: LocalRegion) -> None:
    logs = empty_region.client("logs")
    now = int(time.time() * 1000)
    logs.create_log_group(logGroupName="/several")
    for stream, offset in (("late", 1), ("early", 0)):
        logs.create_log_stream(logGroupName="/several", logStreamName=stream)
        logs.put_log_events(
            logGroupName="/several",
            logStreamName=stream,
            logEvents=[{"timestamp": now + 2 * each + offset, "message": stream} for each in range(3)],
        )
    seen = [event["message"] for event in logs.filter_log_events(logGroupName="/several")["events"]]
    assert seen == ["early", "late"] * 3
