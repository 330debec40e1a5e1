"""A place in the queue and a reason for waiting, the same on whichever replica is asked."""

import pytest

from outpost.agents import Agent
from outpost.dispatch import Status
from service import log
from service.application import queueing
from service.application.queueing import QUEUED, QueueBoard, Snapshot
from service.application.reconciling import Reconciler
from service.aws.items import SHARDS
from service.domain.job import Job
from tests.service.application.test_launching import Stack, without


class Boards(Stack):
    """Replicas that tell each other what they hold."""

    def __init__(self, replicas: int = 2) -> None:
        super().__init__(replicas)
        self.boards = [
            QueueBoard(launcher=each, coordination=self.coordination, clock=self.clock, replica=f"r{n}")
            for n, each in enumerate(self.launchers)
        ]

    def exchange(self) -> None:
        for _ in range(2):  # the first has told before the last has
            for each in self.boards:
                each.exchange()

    def job(self, dispatch_id: str, tenant: str = "acme") -> Job:
        return self.store.jobs[tenant, dispatch_id]

    def places(self, ids: list[str]) -> list[list[tuple[int, int]]]:
        """Place and of how many, by replica and dispatch."""
        found = []
        for board in self.boards:
            outlooks = [board.outlook(self.job(each)) for each in ids]
            found.append([(each.place.position, each.place.of) for each in outlooks if each and each.place])
        return found


@pytest.fixture(autouse=True)
def _quiet() -> None:
    log.silence_metrics()


def test_every_replica_shows_the_place_of_what_another_one_holds() -> None:
    stack = Boards()
    ids = []
    for _ in range(4):
        ids += stack.post("acme")
        stack.clock.advance(0.01)
    stack.post("rival", 2)
    stack.launchers[0].pull(0)
    stack.exchange()
    first, second = stack.places(ids)
    assert first == second
    assert first == [(2, 6), (4, 6), (5, 6), (6, 6)]


def test_places_count_what_all_replicas_hold() -> None:
    stack = Boards()
    ids = []
    for _ in range(30):
        ids += stack.post("acme")
        stack.clock.advance(0.01)
    for n in range(3):  # ten for the one, ten for the other, ten for the one
        stack.launchers[n % 2].pull(0)
    stack.exchange()
    assert stack.places(ids) == [[(n + 1, 30) for n in range(30)]] * 2


def test_a_long_queue_is_told_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "SAMPLE", 20)
    ids = [f"{n:026}" for n in range(1000)]
    told = Snapshot.of(1.0, {"acme": ids}, {}).encode()
    assert len(told) < 1500
    heard = Snapshot.decode(told)
    assert all(abs(heard.older("acme", each) - n) <= 55 for n, each in enumerate(ids))


def test_a_replica_that_is_gone_is_forgotten() -> None:
    stack = Boards()
    (dispatch_id,) = stack.post("acme")
    stack.post("acme", 9)
    stack.launchers[0].pull(0)
    stack.exchange()
    assert stack.places([dispatch_id])[1] == [(1, 10)]
    stack.clock.advance(25)
    stack.boards[1].exchange()
    assert stack.places([dispatch_id])[1] == [(1, 1)], "it is in nobody's hands, and will be soon"


def test_an_idle_replica_writes_nothing() -> None:
    stack = Boards(1)
    stack.exchange()
    assert stack.coordination.told == {}
    stack.post("acme")
    stack.launchers[0].pull(0)
    stack.exchange()
    stack.second()
    stack.exchange()
    assert Snapshot.decode(stack.coordination.told["r0"]).sizes == {}


def test_the_reason_for_waiting_is_known_everywhere() -> None:
    stack = Boards()
    stack.tasks.refuse = without(Agent.CLAUDE)
    ids = stack.post("acme", 5, Agent.CLAUDE)
    (other,) = stack.post("acme")
    stack.launchers[0].pull(0)
    while stack.launchers[0].launch_next(0, lambda _: None):
        pass
    stack.exchange()
    tried = next(each for each in ids if stack.job(each).launch_after is not None)
    for board in stack.boards:
        for each in ids:
            outlook = board.outlook(stack.job(each))
            assert outlook is not None
            assert "apacity" in outlook.reason.summary
            # Only what was tried waits for a time of its own; the others have a place.
            assert (outlook.again_at is None) == (each != tried) == (outlook.place is not None)
    assert stack.job(other).status is Status.PROVISIONING
    assert stack.boards[1].outlook(stack.job(other)) is None


def test_without_a_refusal_it_waits_for_its_turn() -> None:
    stack = Boards(1)
    (dispatch_id,) = stack.post("acme")
    outlook = stack.boards[0].outlook(stack.job(dispatch_id))
    assert outlook is not None
    assert outlook.reason == QUEUED


def test_what_was_never_tried_ends_with_the_reason_of_those_that_were() -> None:
    """It stood in a closed line until its time was over."""
    stack = Boards(1)
    stack.tasks.refuse = without(Agent.CLAUDE)
    ids = stack.post("acme", 3, Agent.CLAUDE)
    reconciler = Reconciler(
        dispatches=stack.dispatches,
        tasks=stack.tasks,
        shards=SHARDS,
        tail=lambda agent, arn: [],
        read_to=stack.launchers[0].read_to,
        refusal=stack.boards[0].refusal,
    )
    while any(not stack.job(each).status.terminal for each in ids):
        stack.pull()
        stack.second()
        reconciler.sweep_deadlines()
        stack.clock.advance(60)
    for each in ids:
        reason = stack.job(each).reason
        assert reason is not None
        assert "apacity" in reason.summary
