"""Webhooks of many tenants."""

import threading
from typing import Any, cast

from outpost.agents import Agent
from outpost.dispatch import Status
from service.application.notifying import PER_TENANT, Notifying
from service.domain.job import Job


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
