"""Webhooks of many tenants."""

import threading
from dataclasses import replace
from typing import Any, cast

from outpost.agents import Agent
from outpost.dispatch import Status
from service.application.dispatches import Dispatches
from service.application.notifying import KEPT_SECONDS, PER_TENANT, WAITING, Notifying
from service.application.reconciling import DUE, Reconciler
from service.aws.items import SHARDS
from service.domain.job import Job
from service.domain.keys import Limits
from service.domain.policy import Policy
from tests.service.fakes import FakeClock, FakeJobs, FakeQueue, FakeTasks


class Remembering:
    """A store that keeps what is saved."""

    def __init__(self) -> None:
        self.saved: list[Job] = []

    def save(self, before: Job, after: Job) -> None:
        self.saved.append(after)


def ended(tenant: str, number: int) -> Job:
    return Job(
        tenant_id=tenant,
        dispatch_id=f"{tenant}-{number}",
        agent=Agent.CLAUDE,
        created_at=1.0,
        timeout_seconds=60,
        status=Status.COMPLETED,
        webhook_url=f"https://{tenant}.example/",
    )


def test_a_tenant_whose_endpoint_hangs_does_not_delay_another() -> None:
    free, quick, hanging = threading.Event(), threading.Event(), threading.Semaphore(0)

    def post(url: str, *_: object) -> int:
        if "slow" in url:
            hanging.release()
            assert free.wait(30)
        else:
            quick.set()
        return 200

    store = Remembering()
    notifying = Notifying(store=cast("Any", store), post=post, clock=lambda: 2.0, master_key="k")
    for number in range(100):
        notifying.ended(ended("slow", number))
    for _ in range(PER_TENANT):
        assert hanging.acquire(timeout=10)
    notifying.ended(ended("quick", 0))
    assert quick.wait(10), "the other tenant's webhook waits behind a hundred that hang"
    free.set()
    for _ in range(100 - PER_TENANT):
        assert hanging.acquire(timeout=10)
    notifying.close()
    assert len({each.dispatch_id for each in store.saved}) == 101


def test_webhooks_that_hang_leave_the_sweep_to_what_else_is_due() -> None:
    """One tenant's endpoint hangs and thousands of its webhooks are due, all before another's dispatch."""
    free = threading.Event()
    clock, jobs = FakeClock(), FakeJobs()
    queue = FakeQueue(clock)
    tasks = FakeTasks(clock, queue)
    notifying = Notifying(
        store=jobs, post=lambda *_: 200 if free.wait(30) else 0, clock=clock, master_key="k"
    )
    lives = Dispatches(store=jobs, queue=queue, tasks=tasks, policy=Policy(), limits=Limits(), clock=clock)
    reconciler = Reconciler(
        dispatches=lives,
        tasks=tasks,
        shards=SHARDS,
        tail=lambda *_: [],
        read_to=clock,
        deliver=notifying.due,
    )
    hanging = 2 * DUE * len(SHARDS)
    for number in range(hanging):
        jobs._put(replace(ended("slow", number), ended_at=clock(), deadline_at=clock() - 10))
    waiting = Job(
        tenant_id="other",
        dispatch_id="other-1",
        agent=Agent.CLAUDE,
        created_at=clock() - 90,  # long enough for its message to be taken for lost
        timeout_seconds=60,
        deadline_at=clock() - 1,
    )
    jobs._put(waiting)
    for _ in range(3):
        reconciler.sweep_deadlines()
    assert queue.sent == 1, "the other tenant's dispatch was not looked at"
    assert len(notifying._waiting["slow"]) <= WAITING
    free.set()
    notifying.close()


def test_a_webhook_is_given_up_a_day_after_the_end() -> None:
    clock, jobs = FakeClock(), FakeJobs()
    called: list[str] = []

    def post(url: str, *_: object) -> int:
        called.append(url)
        return 200

    notifying = Notifying(store=jobs, post=post, clock=clock, master_key="k")
    old = replace(ended("slow", 1), ended_at=clock() - KEPT_SECONDS - 1, deadline_at=clock())
    jobs._put(old)
    notifying.due(old)
    notifying.close()
    kept = jobs.jobs["slow", "slow-1"]
    assert called == []
    assert kept.deadline_at is None
    assert kept.deliveries[-1]["delivered"] is False
