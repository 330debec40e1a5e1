"""A hundred posts at once, over two replicas that share nothing but the tables: every limit holds exactly."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.app import application, build
from service.domain.ports import Acceptance
from service.domain.times import DAY
from service.routers.dispatches import POSTS_AT_ONCE
from service.services import Services
from tests.service.documented import DocumentedClient
from tests.service.fakes import FakeClock
from tests.service.harness import World

BODY = {"agent": "claude", "task": "add a README", "repository": "acme/site", "branch": "main"}
MIDNIGHT = 1_770_076_800.0  # 2026-02-03T00:00:00Z


class Replicas:
    """Two control planes on the same tables, and a clock that only the test moves."""

    def __init__(self, world: World, stack: ExitStack) -> None:
        self.clock = FakeClock(MIDNIGHT - DAY / 2)
        self.services: list[Services] = [
            build(world.settings, world.clients, clock=self.clock) for _ in range(2)
        ]
        self.clients: list[TestClient] = [
            stack.enter_context(DocumentedClient(application(each))) for each in self.services
        ]

    def post(self, n: int, key: str, **headers: str) -> Any:
        client = self.clients[n % 2]
        return client.post("/dispatch", json=BODY, headers={"X-API-Key": key, **headers})

    def hundred(self, key: str, **headers: str) -> list[Any]:
        """The answers to a hundred posts, twenty of them at a time, every other to the same replica."""
        with ThreadPoolExecutor(20) as pool:
            return list(pool.map(lambda n: self.post(n, key, **headers), range(100)))


@pytest.fixture
def replicas(world: World) -> Iterator[Replicas]:
    with ExitStack() as stack:
        yield Replicas(world, stack)


def statuses(answers: list[Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def refused(answers: list[Any]) -> Any:
    """One of the 429s; all of them are for the same reason and tell the same limit."""
    found = [answer for answer in answers if answer.status_code == 429]
    assert len({(each.json()["code"], each.headers["X-RateLimit-Limit"]) for each in found}) == 1
    assert {each.headers["X-RateLimit-Remaining"] for each in found} == {"0"}
    assert all(each.headers["Retry-After"] == each.headers["X-RateLimit-Reset"] for each in found)
    return found[0]


def test_an_idempotency_key_makes_one_dispatch(world: World, replicas: Replicas) -> None:
    key = world.key()
    answers = replicas.hundred(key, **{"Idempotency-Key": "once"})
    assert statuses(answers) == {202: 100}
    assert len({answer.json()["dispatchId"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    listed = replicas.clients[1].get("/dispatch", headers={"X-API-Key": key}).json()["dispatches"]
    assert len(listed) == 1
    other = replicas.clients[1].post(
        "/dispatch", json={**BODY, "task": "else"}, headers={"X-API-Key": key, "Idempotency-Key": "once"}
    )
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")


def test_the_tenants_limit_of_active_dispatches(world: World, replicas: Replicas) -> None:
    key = world.key(maxActive=7)
    answers = replicas.hundred(key)
    assert statuses(answers) == {202: 7, 429: 93}
    answer = refused(answers)
    assert (answer.json()["code"], answer.headers["X-RateLimit-Limit"]) == ("tenant-active-limit", "7")
    # A cancelled one makes room for exactly one more.
    accepted = next(each for each in answers if each.status_code == 202)
    client, headers = replicas.clients[0], {"X-API-Key": key}
    assert client.delete(accepted.headers["Location"], headers=headers).json()["status"] == "CANCELLED"
    assert [replicas.post(n, key).status_code for n in range(2)] == [202, 429]


def test_the_tenants_daily_limit_also_when_the_day_begins(world: World, replicas: Replicas) -> None:
    key = world.key(maxPerDay=7)
    answers = replicas.hundred(key)
    assert statuses(answers) == {202: 7, 429: 93}
    answer = refused(answers)
    assert answer.json()["code"] == "tenant-daily-limit"
    assert int(answer.headers["Retry-After"]) == DAY / 2
    replicas.clock.now = MIDNIGHT  # nobody has counted this day yet: all hundred start it
    assert statuses(replicas.hundred(key)) == {202: 7, 429: 93}


def test_a_replica_whose_clock_is_behind_at_midnight_counts_into_the_new_day(
    world: World, replicas: Replicas
) -> None:
    key = world.key(maxPerDay=2)
    replicas.clock.now = MIDNIGHT
    assert replicas.post(0, key).status_code == 202
    replicas.clock.now = MIDNIGHT - 1
    assert [replicas.post(1, key).status_code for _ in range(2)] == [202, 429]


def test_the_keys_rate_of_posts(world: World, replicas: Replicas) -> None:
    key = world.key(requestsPerMinute=7)
    answers = replicas.hundred(key)
    assert statuses(answers) == {202: 7, 429: 93}
    answer = refused(answers)
    assert (answer.json()["code"], answer.headers["X-RateLimit-Limit"]) == ("rate-limited", "7")
    assert answer.headers["Retry-After"] == "60"  # the clock stands at the start of a minute
    # What is known to be used up is refused without asking the table.
    assert world.calls_of(lambda: [replicas.post(n, key) for n in range(10)]) == []
    replicas.clock.advance(60)
    one_replica = [replicas.post(0, key).status_code for _ in range(8)]
    assert one_replica == [202] * 7 + [429], "all of it is there for a client that has one connection"
    assert replicas.post(1, key).status_code == 429


def test_the_keys_rate_of_other_requests_is_shared_by_the_replicas(world: World, replicas: Replicas) -> None:
    for each in replicas.services:
        each.fleet.state = replace(each.fleet.state, replicas=2)
    headers = {"X-API-Key": world.key(requestsPerMinute=10)}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: replicas.clients[n % 2].get("/fleet", headers=headers), range(100)))
    assert statuses(answers) == {200: 10, 429: 90}
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"10"}


def test_transactions_that_are_in_each_others_way_are_repeated(
    world: World, replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB cancels a transaction on an item that another one holds; all posts of a tenant share one."""
    monkeypatch.setattr(world.aws, "conflicting", True)
    answers = replicas.hundred(world.key(maxActive=60))
    assert statuses(answers) == {202: 60, 429: 40}
    assert world.aws.conflicts > 0


def test_limits_cost_no_call_of_their_own(world: World, replicas: Replicas) -> None:
    key = world.key(maxActive=50, maxPerDay=50, requestsPerMinute=50)
    replicas.post(0, key)
    posted = world.calls_of(lambda: replicas.post(0, key, **{"Idempotency-Key": "a"}))
    assert posted == ["TransactWriteItems", "SendMessage"]


def test_a_tenants_burst_leaves_threads_to_the_others(
    world: World, replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, other = world.key("busy"), world.key("other")
    waiting, free = threading.Semaphore(0), threading.Event()
    store = replicas.services[0].dispatches.store
    accept = store.accept

    def slow(acceptance: Acceptance) -> str | None:
        if acceptance.job.tenant_id == "busy":
            waiting.release()
            free.wait(30)
        return accept(acceptance)

    monkeypatch.setattr(store, "accept", slow)
    with ThreadPoolExecutor(60) as pool:
        posts = [pool.submit(replicas.post, 0, busy) for _ in range(50)]  # a replica has 40 threads
        for _ in range(POSTS_AT_ONCE):
            assert waiting.acquire(timeout=10)
        further = waiting.acquire(timeout=0.3)
        answered = replicas.post(0, other).status_code
        free.set()
        assert {each.result().status_code for each in posts} == {202}
    assert (answered, further) == (202, False)
