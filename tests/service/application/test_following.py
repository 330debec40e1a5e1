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
