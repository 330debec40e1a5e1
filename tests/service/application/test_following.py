"""Events that are no events."""

import json
from typing import Any, cast

import pytest

from service.application.following import Follower
from service.aws.tasks import evidence_of
from tests.service.fakes import FakeClock, FakeQueue

POISON = [
    "[" * 100_000,
    "[]",
    '"x"',
    json.dumps({"detail": []}),
    json.dumps({"detail": {"taskArn": "a", "lastStatus": "STOPPED", "containers": [1]}}),
    json.dumps({"detail": {"taskArn": "a", "lastStatus": "STOPPED", "containers": 1}}),
    json.dumps({"detail": {"taskArn": "a", "lastStatus": "STOPPED", "version": {}}}),
    json.dumps({"detail": {"taskArn": "a", "lastStatus": "STOPPED", "stoppedAt": "soon"}}),
]
GOOD = json.dumps({"detail": {"taskArn": "a", "lastStatus": "RUNNING", "version": 1}})


@pytest.mark.parametrize("poison", POISON)
def test_one_unreadable_event_keeps_no_other_from_being_handled(poison: str) -> None:
    queue = FakeQueue(FakeClock())
    for body in (GOOD, poison, GOOD):
        queue.send(body)
    unused = cast("Any", None)
    follower = Follower(dispatches=unused, queue=queue, logs=unused, evidence=evidence_of)
    assert follower.step(0) == 3
    assert queue.depth() == 1, "what is handled is acknowledged, what is not goes to the dead-letter queue"


def test_events_of_a_task_are_handled_in_their_versions_order_and_once() -> None:
    """An older or a repeated one, however late, changes nothing and costs no read."""
    follower = Follower(
        dispatches=cast("Any", None),
        queue=FakeQueue(FakeClock()),
        logs=cast("Any", None),
        evidence=evidence_of,
    )
    handled: list[str] = []
    follower.stopped = lambda *found: handled.append(found[3].stopped_reason)  # type: ignore[method-assign]
    mark = "outpost/acme/01ARZ3NDEKTSV4RRFFQ69G5FAV/1"
    for version in (3, 3, 2, 4):
        follower.follow(
            {
                "taskArn": "a",
                "lastStatus": "STOPPED",
                "startedBy": mark,
                "version": version,
                "stoppedReason": str(version),
            }
        )
    assert handled == ["3", "4"]
