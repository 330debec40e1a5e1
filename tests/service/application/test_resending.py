"""The sweep sends a launch message again when the queue lost it, and only then."""

import pytest

from service import log
from service.application.reconciling import Reconciler
from service.aws.items import SHARDS
from tests.service.application.test_launching import Stack

MINUTE = 60


class Swept(Stack):
    """A launching stack with the reconciler that watches it."""

    def __init__(self) -> None:
        super().__init__()
        self.reconciler = Reconciler(
            dispatches=self.dispatches,
            tasks=self.tasks,
            shards=SHARDS,
            tail=lambda agent, arn: [],
            read_to=self.launchers[0].read_to,
        )

    def minutes(self, count: int) -> None:
        for _ in range(count):
            self.clock.advance(MINUTE)
            self.reconciler.sweep_deadlines()


@pytest.fixture(autouse=True)
def _quiet() -> None:
    log.silence_metrics()


def test_what_waits_in_the_queue_is_sent_once_however_long_it_waits() -> None:
    stack = Swept()
    stack.post("acme", 100)
    stack.launchers[0].pull(0)  # some have been received, the others wait behind them
    stack.minutes(60)
    assert stack.queue.sent == 100


def test_a_lost_message_is_sent_again_once_the_queue_is_empty() -> None:
    stack = Swept()
    stack.post("acme")
    stack.queue.lose_one()
    stack.pull()
    stack.minutes(3)
    assert stack.queue.sent == 1, "nothing shows yet that the queue was read past it"
    stack.pull()
    stack.minutes(3)
    assert stack.queue.sent == 2


def test_a_lost_message_is_sent_again_while_the_queue_never_empties() -> None:
    stack = Swept()
    (lost,) = stack.post("acme")
    stack.queue.lose_one()
    for _ in range(10):
        stack.clock.advance(MINUTE)
        stack.post("busy", 30)
        while stack.launchers[0].pull(0) and len(stack.queue):
            if stack.launchers[0].backlog() >= 20:
                break
        stack.reconciler.sweep_deadlines()
    stack.pull()
    while stack.second():
        pass
    assert lost in {task.owner[1] for task in stack.tasks.tasks.values()}
