"""The sweep from tasks to dispatches: what no dispatch wants is stopped, and nothing else."""

import pytest

from outpost.agents import Agent
from outpost.dispatch import Status
from service.application.reconciling import ORPHAN_AGE, Reconciler
from service.aws.items import SHARDS
from tests.service.application.test_launching import Stack


@pytest.fixture
def stack() -> Stack:
    """One dispatch, provisioning, whose task is old enough to be looked at."""
    made = Stack()
    made.post("acme")
    made.pull()
    made.second()
    made.clock.advance(ORPHAN_AGE)
    return made


def sweep(stack: Stack) -> list[str]:
    """Why each task was stopped."""
    reconciler = Reconciler(
        dispatches=stack.dispatches,
        tasks=stack.tasks,
        shards=SHARDS,
        tail=lambda agent, arn: [],
        read_to=stack.launchers[0].read_to,
    )
    stopped = reconciler.sweep_tasks()
    found = [task.reason for task in stack.tasks.tasks.values() if task.stop_wanted]
    assert len(found) == stopped
    return found


def test_a_task_that_its_dispatch_waits_for_is_left_alone(stack: Stack) -> None:
    assert sweep(stack) == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": Status.FAILED}, "its dispatch is FAILED"),
        ({"attempt": 2}, "attempt 1 was superseded by 2"),
    ],
)
def test_a_task_that_no_dispatch_wants_is_stopped(stack: Stack, change: dict[str, object], why: str) -> None:
    (identity,) = stack.store.jobs
    stack.store.jobs[identity] = stack.store.jobs[identity].changed(**change)
    assert [each.partition("orphan, ")[2] for each in sweep(stack)] == [why]


def test_a_task_of_no_dispatch_is_stopped(stack: Stack) -> None:
    stack.store.jobs.clear()
    assert [each.partition("orphan, ")[2] for each in sweep(stack)] == ["no such dispatch"]


def test_a_young_task_is_left_to_its_launcher(stack: Stack) -> None:
    stack.store.jobs.clear()
    stack.clock.now -= 1
    assert sweep(stack) == []


def test_one_jobs_defect_does_not_keep_the_others_from_being_looked_at() -> None:
    stack = Stack()
    ids = stack.post("acme", 3, Agent.CLAUDE)
    broken = stack.store.jobs["acme", ids[1]]
    stack.store.jobs["acme", ids[1]] = broken.changed(created_at="no time")
    stack.clock.advance(61)
    reconciler = Reconciler(
        dispatches=stack.dispatches,
        tasks=stack.tasks,
        shards=SHARDS,
        tail=lambda agent, arn: [],
        read_to=stack.launchers[0].read_to,
    )
    reconciler.sweep_deadlines()
    looked = [stack.store.jobs["acme", each].deadline_at for each in (ids[0], ids[2])]
    assert all(deadline is not None and deadline > stack.clock() for deadline in looked)
