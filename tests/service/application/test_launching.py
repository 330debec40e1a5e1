"""Launching: fair, within the rate, and never twice."""

from collections.abc import Callable

import pytest

from outpost.agents import Agent
from outpost.dispatch import Status
from service import log
from service.application.dispatches import Dispatches
from service.application.launching import Launcher
from service.domain.keys import ApiKey, Limits
from service.domain.policy import Policy
from service.domain.ports import UnavailableError
from service.domain.requests import DispatchRequest
from service.domain.tokens import WorkerTokens
from tests.service.fakes import FakeClock, FakeCoordination, FakeJobs, FakeQueue, FakeTasks


class Stack:
    """The launching part of a stack, with as many replicas as wanted."""

    def __init__(self, replicas: int = 1) -> None:
        self.clock = FakeClock()
        self.store = FakeJobs()
        self.queue = FakeQueue(self.clock)
        self.tasks = FakeTasks(self.clock, FakeQueue(self.clock))
        coordination = FakeCoordination()
        self.dispatches = Dispatches(
            store=self.store,
            queue=self.queue,
            tasks=self.tasks,
            policy=Policy(),
            limits=Limits(max_active=10_000),
            clock=self.clock,
        )
        self.launchers = [
            Launcher(
                dispatches=self.dispatches,
                queue=self.queue,
                tasks=self.tasks,
                coordination=coordination,
                tokens=WorkerTokens("k"),
            )
            for _ in range(replicas)
        ]

    def post(self, tenant: str, times: int = 1) -> list[str]:
        key = ApiKey(api_key_id="k", tenant_id=tenant, key_hash="", key_prefix="", scopes=frozenset())
        request = DispatchRequest(agent=Agent.AIDER, task="t")
        return [self.dispatches.accept(request, key)[0].dispatch_id for _ in range(times)]

    def pull(self) -> None:
        while sum(launcher.pull(0) for launcher in self.launchers):
            pass

    def second(self) -> int:
        """Launch what one second allows; how many."""
        before = self.tasks.calls
        for launcher in self.launchers:
            while launcher.launch_next(0, lambda _: None):
                pass
        self.clock.advance(1)
        return self.tasks.calls - before


@pytest.fixture(autouse=True)
def _quiet() -> None:
    log.silence_metrics()


def test_one_of_a_quiet_tenant_goes_before_the_thousand_of_a_busy_one() -> None:
    stack = Stack()
    stack.post("busy", 1000)
    (mine,) = stack.post("quiet")
    stack.pull()
    position = stack.launchers[0].position("quiet", mine)
    assert position is not None
    assert (position.position, position.of) == (2, 1001)
    stack.second()
    order = [task.owner[0] for task in stack.tasks.tasks.values()]
    assert "quiet" in order[:2]


@pytest.mark.parametrize("replicas", [1, 3])
def test_the_accounts_rate_holds_over_all_replicas(replicas: int) -> None:
    stack = Stack(replicas)
    stack.post("acme", 150)
    stack.pull()
    seconds = [stack.second() for _ in range(8)]
    assert max(seconds) <= 20
    assert sum(seconds) == 150


def test_a_message_that_comes_twice_is_one_task() -> None:
    stack = Stack()
    stack.post("acme", 5)
    stack.queue.repeat_all()
    stack.pull()
    stack.second()
    stack.queue.repeat_all()
    stack.pull()
    stack.second()
    assert len(stack.tasks.tasks) == 5
    assert len(stack.queue) == 0


def after(point: str) -> Callable[[str], None]:
    """A fault at the first time that a point is reached."""
    reached: list[str] = []

    def fault(at: str) -> None:
        if at == point and not reached:
            reached.append(at)
            raise UnavailableError("ecs", "lost answer")

    return fault


def test_an_answer_that_is_lost_is_asked_for_again_not_launched_again() -> None:
    stack = Stack()
    stack.tasks.fault = after("run:after")
    (dispatch_id,) = stack.post("acme")
    stack.pull()
    stack.second()
    assert stack.store.jobs["acme", dispatch_id].status is Status.PROVISIONING
    stack.clock.advance(10)
    stack.pull()
    stack.second()
    job = stack.store.jobs["acme", dispatch_id]
    assert len(stack.tasks.tasks) == 1
    assert job.task_arn in stack.tasks.tasks
    assert job.attempt == 1


def test_a_refusal_is_visible_and_waits_longer_each_time() -> None:
    stack = Stack()
    stack.tasks.refuse = lambda spec: (
        "You've reached the limit on the number of vCPUs you can run concurrently"
    )
    (dispatch_id,) = stack.post("acme")
    delays = []
    for _ in range(5):
        stack.pull()
        stack.second()
        job = stack.store.jobs["acme", dispatch_id]
        assert job.status is Status.PENDING
        assert job.waiting_reason is not None
        assert job.waiting_reason.cause == "vcpu-quota-exhausted"
        assert job.launch_after is not None
        delays.append(job.launch_after - stack.clock())
        stack.clock.advance(delays[-1] + 1)
    assert delays[-1] > delays[0] * 4


def test_what_a_stopping_replica_holds_goes_to_the_others_at_once() -> None:
    stack = Stack(2)
    stack.post("acme", 3)
    stack.launchers[0].pull(0)
    assert stack.launchers[1].pull(0) == 0
    stack.launchers[0].give_back()
    assert stack.launchers[1].pull(0) == 3
