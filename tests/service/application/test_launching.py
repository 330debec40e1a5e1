"""Launching: fair, within the rate, and never twice."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from outpost.agents import AGENTS, Agent
from outpost.dispatch import Status
from service import log
from service.application import launching
from service.application.dispatches import Dispatches
from service.application.launching import Launcher
from service.application.reconciling import Reconciler
from service.aws.items import SHARDS
from service.domain.events import CancelRequested, Enqueue
from service.domain.keys import ApiKey, Limits
from service.domain.policy import Policy
from service.domain.ports import LaunchSpec, UnavailableError
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
        self.coordination = FakeCoordination()
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
                coordination=self.coordination,
                tokens=WorkerTokens("k"),
            )
            for _ in range(replicas)
        ]

    def post(self, tenant: str, times: int = 1, agent: Agent = Agent.AIDER) -> list[str]:
        key = ApiKey(api_key_id="k", tenant_id=tenant, key_hash="", key_prefix="", scopes=frozenset())
        request = DispatchRequest(agent=agent, task="t")
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
    stack.post("quiet")
    stack.pull()
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


def test_how_long_a_refused_dispatch_has_waited_is_measured(caplog: pytest.LogCaptureFixture) -> None:
    """What the alarm of dispatch-stuck-pending looks at; a dispatch that is launched at once says nothing."""
    stack = Stack()
    caplog.set_level("INFO", "outpost.metrics")
    stack.post("acme")
    stack.pull()
    stack.second()
    stack.tasks.refuse = lambda spec: "Capacity is unavailable at this time"
    stack.post("acme")
    stack.pull()
    stack.clock.advance(400)
    stack.second()
    measured = [record for record in caplog.records if record.name == "outpost.metrics"]
    lines = [json.loads(record.getMessage()) for record in measured]
    (waited,) = [line["DispatchPending"] for line in lines if "DispatchPending" in line]
    assert 400 <= waited < 410


def test_what_a_stopping_replica_holds_goes_to_the_others_at_once() -> None:
    stack = Stack(2)
    stack.post("acme", 3)
    stack.launchers[0].pull(0)
    assert stack.launchers[1].pull(0) == 0
    stack.launchers[0].give_back()
    assert stack.launchers[1].pull(0) == 3


# --- refusals: what cannot be launched leaves the rate to what can


def without(agent: Agent) -> Callable[[LaunchSpec], str | None]:
    """There is no capacity for this agent."""
    return lambda spec: "Capacity is unavailable at this time" if agent in spec.family else None


@pytest.mark.parametrize("replicas", [1, 3])
def test_one_agents_shortage_leaves_the_rate_to_the_others(replicas: int) -> None:
    stack = Stack(replicas)
    stack.tasks.refuse = without(Agent.CLAUDE)
    stack.post("acme", 600, Agent.CLAUDE)
    stack.pull()
    stack.second()
    stack.post("rival", 15)
    stack.post("acme", 15)
    stack.pull()
    stack.second()
    stack.second()
    assert len(stack.tasks.tasks) == 30, "launched at once, in the face of 600 that are not"
    before = stack.tasks.calls
    for _ in range(120):
        stack.pull()
        stack.second()
    assert stack.tasks.calls - before <= 12 * replicas, "one try now and then is enough to see"


def test_what_waited_for_capacity_goes_on_when_there_is_some() -> None:
    stack = Stack()
    stack.tasks.refuse = without(Agent.CLAUDE)
    stack.post("acme", 100, Agent.CLAUDE)
    stack.pull()
    for _ in range(300):
        stack.second()
    stack.tasks.refuse = lambda spec: None
    for _ in range(40):  # half a minute at most until the next try, then twenty a second
        stack.second()
    assert len(stack.tasks.tasks) >= 80, "all but those that were tried and wait for their own next try"


def test_a_full_account_is_used_as_tasks_end() -> None:
    """One refusal costs a second, not the line: what gets free is taken soon."""
    stack = Stack()
    free = [0]

    def refuse(_: LaunchSpec) -> str | None:
        if free[0] <= 0:
            return "You've reached the limit on the number of vCPUs you can run concurrently"
        free[0] -= 1
        return None

    stack.tasks.refuse = refuse
    stack.post("acme", 600, Agent.CLAUDE)
    stack.pull()
    for _ in range(60):
        free[0] += 5
        stack.pull()
        stack.second()
    assert len(stack.tasks.tasks) >= 60 * 5 * 0.9


def test_small_tasks_do_not_take_each_bit_of_a_full_account_before_a_large_one() -> None:
    stack = Stack()
    free = [0.0]
    need = {agent: AGENTS[agent].tier.cpu / 1024 for agent in (Agent.CLAUDE, Agent.AIDER)}

    def refuse(spec: LaunchSpec) -> str | None:
        cpu = need[Agent(spec.family.removeprefix("outpost-"))]
        if cpu > free[0]:
            return "You've reached the limit on the number of vCPUs you can run concurrently"
        free[0] -= cpu
        return None

    stack.tasks.refuse = refuse
    stack.post("small", 300)
    stack.post("large", 100, Agent.CLAUDE)
    stack.pull()
    for _ in range(120):
        free[0] += 0.5
        stack.pull()
        stack.second()
    tenants = Counter(task.owner[0] for task in stack.tasks.tasks.values())
    assert tenants["large"] >= 15
    assert tenants["small"] >= 15


def test_throttling_of_the_account_pauses_everyone_for_a_moment() -> None:
    stack = Stack()
    stack.tasks.throttled = True
    stack.post("acme", 100)
    stack.post("rival", 100, Agent.CLAUDE)
    stack.pull()
    assert stack.second() == 1
    stack.tasks.throttled = False
    for _ in range(12):
        stack.pull()
        stack.second()
    assert len(stack.tasks.tasks) >= 199


def test_what_cannot_be_launched_makes_room_in_a_full_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "BUFFER", 50)
    stack = Stack()
    stack.tasks.refuse = without(Agent.CLAUDE)
    stack.post("acme", 200, Agent.CLAUDE)
    stack.post("rival")
    for _ in range(12):  # a shortage that lasts, not one of a second
        stack.pull()
        stack.second()
    assert [task.owner[0] for task in stack.tasks.tasks.values()] == ["rival"]
    # What was let go is not lost: the sweep sends it again.
    stack.tasks.refuse = lambda spec: None
    reconciler = Reconciler(
        dispatches=stack.dispatches,
        tasks=stack.tasks,
        shards=SHARDS,
        tail=lambda agent, arn: [],
        read_to=stack.launchers[0].read_to,
    )
    for _ in range(200):
        reconciler.sweep_deadlines()
        stack.pull()
        stack.second()
    assert len(stack.tasks.tasks) == 201


def test_messages_with_nothing_to_launch_use_no_launches() -> None:
    stack = Stack()
    for dispatch_id in stack.post("acme", 1000):
        stack.dispatches.apply("acme", dispatch_id, CancelRequested(reason="test"))
    stack.post("acme")
    stack.pull()
    stack.second()
    assert len(stack.tasks.tasks) == 1
    assert len(stack.queue) == 0


def test_a_launch_that_was_not_used_is_not_carried_into_the_next_second() -> None:
    stack = Stack()
    (dispatch_id,) = stack.post("acme")
    stack.dispatches.apply("acme", dispatch_id, CancelRequested(reason="test"))
    stack.pull()
    apply = stack.dispatches.apply

    def slow(*arguments: Any, **named: Any) -> Any:
        stack.clock.advance(1)
        stack.dispatches.apply = apply  # type: ignore[method-assign]
        stack.post("acme", 60)
        stack.pull()
        return apply(*arguments, **named)

    stack.dispatches.apply = slow  # type: ignore[method-assign]
    assert [stack.second() for _ in range(3)] == [20, 20, 20]


def test_a_message_that_comes_again_before_its_time_does_not_live_on() -> None:
    stack = Stack()
    stack.tasks.refuse = without(Agent.AIDER)
    stack.post("acme")
    for _ in range(6):  # by then it waits for over a minute
        stack.pull()
        stack.second()
        stack.clock.advance(200)
    stack.pull()
    stack.second()
    assert len(stack.queue) == 1, "the one for its next try"
    for _ in range(50):
        stack.dispatches._follow(next(iter(stack.store.jobs.values())), Enqueue())
    stack.pull()
    for _ in range(31):  # the line is open again by then
        stack.second()
    assert len(stack.queue) == 1


def test_the_buffer_can_be_read_while_the_rate_is_asked_for() -> None:
    stack = Stack()
    stack.post("acme")
    stack.pull()
    launcher = stack.launchers[0]
    asked, answer = threading.Event(), threading.Event()

    def take(wanted: int, per_second: int, now: float) -> int:
        asked.set()
        answer.wait(10)
        return wanted

    launcher._coordination.take_launches = take  # type: ignore[method-assign]
    launching_thread = threading.Thread(target=lambda: launcher.launch_next(0, lambda _: None))
    launching_thread.start()
    assert asked.wait(10)
    reader = threading.Thread(target=launcher.backlog, daemon=True)
    reader.start()
    reader.join(5)
    blocked = reader.is_alive()
    answer.set()
    launching_thread.join()
    assert not blocked
    assert len(stack.tasks.tasks) == 1
