"""The warm pool: what is decided, what is stored, and an idle worker's way to its dispatch over HTTP."""

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from outpost.agents import Agent
from outpost.errors import OutpostError
from service.application.pool import WarmPool
from service.aws.slots import DynamoSlots
from service.domain.pool import (
    FAILURES,
    FORGOTTEN_AFTER,
    FORGOTTEN_AT_ONCE,
    MAX_PER_AGENT,
    SILENCE,
    START_GRACE,
    Breaker,
    Slot,
    agent_of,
    choose,
    parse_started_by,
    plan,
    started_by,
)
from service.settings import from_environment
from tests.service.harness import OneAtATime, World, make_world
from tests.service.test_life import BODY, launch

NOW = 1000.0
CLAUDE = Agent.CLAUDE


def slot(name: str, **values: Any) -> Slot:
    known: dict[str, Any] = {"created_at": NOW - 100, "arn": f"arn:{name}", "seen_at": NOW}
    return Slot(agent=CLAUDE, slot=name, **(known | values))


def test_missing_idle_workers_are_started_up_to_the_cap() -> None:
    assert plan([slot("a")], 3, Breaker(), NOW).start == 2
    assert plan([], 1000, Breaker(), NOW).start == MAX_PER_AGENT


def test_a_starting_worker_counts_and_a_leased_or_ended_one_does_not() -> None:
    starting = slot("a", seen_at=None, created_at=NOW - START_GRACE + 1)
    gone = [slot("b", leased_to="outpost/t/d/1"), slot("c", stopped_at=NOW)]
    assert plan([starting, *gone], 1, Breaker(), NOW).start == 0
    assert plan(gone, 1, Breaker(), NOW).start == 1


def test_the_newest_surplus_is_dismissed() -> None:
    old, new = slot("old", created_at=1.0), slot("new", created_at=2.0)
    assert plan([new, old], 1, Breaker(), NOW).dismiss == [new]


def test_a_silent_worker_is_given_up() -> None:
    silent = slot("a", seen_at=NOW - SILENCE)
    never = slot("b", seen_at=None, created_at=NOW - START_GRACE)
    assert plan([silent, never], 0, Breaker(), NOW).give_up == [silent, never]


def test_what_ended_a_while_ago_is_forgotten_some_at_a_time() -> None:
    ended = [slot(f"old-{n}", stopped_at=NOW - FORGOTTEN_AFTER - 1) for n in range(FORGOTTEN_AT_ONCE + 5)]
    lately = slot("new", leased_to="outpost/t/d/1", stopped_at=NOW - FORGOTTEN_AFTER + 1)
    works = slot("works", leased_to="outpost/t/d/2", created_at=NOW - 5000)
    assert plan([lately, works, *ended], 0, Breaker(), NOW).forget == ended[:FORGOTTEN_AT_ONCE]


def test_the_breaker_opens_for_longer_each_time_and_then_tries_one() -> None:
    breaker = Breaker()
    for _ in range(FAILURES):
        assert not breaker.is_open(NOW)
        breaker = breaker.failed(NOW)
    assert plan([], 5, breaker, NOW).start == 0
    assert plan([], 5, breaker, breaker.open_until).start == 1
    assert breaker.failed(NOW).open_until > breaker.open_until
    assert replace(breaker, failures=50).failed(NOW).open_until - NOW <= 900


def test_the_worker_whose_question_is_held_here_comes_first() -> None:
    slots = [slot("a", created_at=1), slot("b", created_at=2), slot("late", seen_at=NOW - 45)]
    assert [each.slot for each in choose(slots, {"b": None}, NOW)] == ["b", "a"]


@pytest.mark.parametrize(
    "mark", ["outpost/t/d/1", "outpost-pool/claude", "outpost-pool/clippy/x", "", "x/claude/y"]
)
def test_other_marks_are_not_of_the_pool(mark: str) -> None:
    assert parse_started_by(mark) is None


def test_marks_and_tokens_tell_the_agent() -> None:
    assert parse_started_by(started_by(CLAUDE, "s")) == (CLAUDE, "s")
    assert agent_of("#pool-claude") is CLAUDE
    assert agent_of("claude") is None


@pytest.mark.parametrize("text", ["claude", "claude=x", "clippy=1", f"claude={MAX_PER_AGENT + 1}"])
def test_a_wrong_size_is_named(text: str) -> None:
    names = (
        "OUTPOST_STACK AWS_REGION ECS_CLUSTER JOBS_TABLE API_KEYS_TABLE AUDIT_TABLE WORKSPACES_TABLE"
        " S3_ARTIFACTS_BUCKET LAUNCH_QUEUE_URL EVENTS_QUEUE_URL WORKER_SUBNETS WORKER_SECURITY_GROUP"
        " CONTROL_PLANE_URL WORKER_TOKEN_KEY"
    )
    environment = dict.fromkeys(names.split(), "x")
    assert from_environment(environment | {"WARM_POOL": "claude=2, aider=1"}).warm_pool == {
        CLAUDE: 2,
        Agent.AIDER: 1,
    }
    with pytest.raises(OutpostError, match="WARM_POOL"):
        from_environment(environment | {"WARM_POOL": text})


# --- on the embedded AWS


@pytest.fixture
def warm(aws: tuple[str, OneAtATime]) -> World:
    """A stack that keeps one idle worker of claude."""
    world = make_world(*aws, warm_pool={CLAUDE: 1})
    ecs = world.boto("ecs")
    ecs.create_cluster(clusterName=world.settings.cluster)
    container = {"name": "worker", "image": "outpost-claude", "cpu": 2048, "memory": 8192}
    for family in ("outpost-claude", "outpost-codex"):
        ecs.register_task_definition(family=family, networkMode="awsvpc", containerDefinitions=[container])
    return world


def tasks(world: World) -> list[dict[str, Any]]:
    ecs = world.boto("ecs")
    arns = ecs.list_tasks(cluster=world.settings.cluster)["taskArns"]
    found = ecs.describe_tasks(cluster=world.settings.cluster, tasks=arns)["tasks"] if arns else []
    return [task for task in found if task["desiredStatus"] != "STOPPED"]


def idle_worker(world: World) -> tuple[dict[str, str], dict[str, str], dict[str, Any]]:
    """The headers and the body of an idle worker's question, and its task."""
    (task,) = [each for each in tasks(world) if each["startedBy"].startswith("outpost-pool/")]
    environment = task["overrides"]["containerOverrides"][0]["environment"]
    values = {each["name"]: each["value"] for each in environment}
    assert set(values) == {"OUTPOST_POOL_SLOT", "OUTPOST_WORKER_TOKEN"}
    headers = {"Authorization": f"Bearer {values['OUTPOST_WORKER_TOKEN']}"}
    return headers, {"slot": values["OUTPOST_POOL_SLOT"]}, task


def ask(http: TestClient, world: World) -> Any:
    headers, body, _ = idle_worker(world)
    return http.post("/worker/lease", json=body, headers=headers)


def stopped(world: World, task: dict[str, Any], exit_code: int) -> None:
    detail = {
        "taskArn": task["taskArn"],
        "lastStatus": "STOPPED",
        "startedBy": task["startedBy"],
        "version": 9,
        "containers": [{"name": "worker", "exitCode": exit_code}],
    }
    world.boto("sqs").send_message(
        QueueUrl=world.settings.events_queue_url, MessageBody=json.dumps({"detail": detail})
    )
    world.services.follower.step(0)


def test_an_idle_worker_gets_the_dispatch_that_comes(warm: World) -> None:
    warm.services.pool.keep()
    headers = {"X-API-Key": warm.key()}
    with warm.http() as http:
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(ask(http, warm)))
        asking.start()
        dispatch = http.post("/dispatch", json=BODY, headers=headers).json()["dispatchId"]
        arn = idle_worker(warm)[2]["taskArn"]
        while not warm.services.pool.look(CLAUDE, idle_worker(warm)[1]["slot"]).seen_at:  # type: ignore[union-attr]
            pass
        launch(warm)
        asking.join(10)
        (answer,) = answers
        assert answer.status_code == 200
        assert answer.json()["assignment"]["dispatchId"] == dispatch
        job = http.get(f"/dispatch/{dispatch}", headers=headers).json()
        assert (job["status"], job["taskArn"], job["attempt"]) == ("RUNNING", arn, 1)
        assert len(tasks(warm)) == 1  # no other task was launched

        attempt = {"Authorization": f"Bearer {answer.json()['token']}"}
        assert http.post("/worker/result", json={"exitCode": 0}, headers=attempt).json() == {
            "status": "COMPLETED"
        }
        again = ask(http, warm)
        assert again.status_code == 409  # the slot is used up with its dispatch


def test_a_lost_answer_is_given_again(warm: World) -> None:
    warm.services.pool.keep()
    headers = {"X-API-Key": warm.key()}
    with warm.http() as http:
        _, body, _ = idle_worker(warm)
        warm.services.pool.ask(CLAUDE, body["slot"])
        http.post("/dispatch", json=BODY, headers=headers)
        launch(warm)
        first, second = ask(http, warm), ask(http, warm)
    assert first.status_code == second.status_code == 200
    assert first.json()["token"] == second.json()["token"]


def test_one_idle_worker_serves_one_of_two_dispatches(warm: World) -> None:
    warm.services.pool.keep()
    headers = {"X-API-Key": warm.key()}
    with warm.http() as http:
        warm.services.pool.ask(CLAUDE, idle_worker(warm)[1]["slot"])
        for _ in range(2):
            http.post("/dispatch", json=BODY, headers=headers)
        warm.services.launcher.pull(0)
        for _ in range(2):
            warm.services.launcher.launch_next(0, lambda _: None)
        jobs = http.get("/dispatch", headers=headers).json()["dispatches"]
    assert len({job["taskArn"] for job in jobs}) == 2
    assert len(tasks(warm)) == 2


def test_a_leased_worker_that_dies_ends_its_dispatch(warm: World) -> None:
    warm.services.pool.keep()
    headers = {"X-API-Key": warm.key()}
    with warm.http() as http:
        warm.services.pool.ask(CLAUDE, idle_worker(warm)[1]["slot"])
        dispatch = http.post("/dispatch", json=BODY, headers=headers).json()["dispatchId"]
        launch(warm)
        assert ask(http, warm).status_code == 200
        stopped(warm, idle_worker(warm)[2], 137)
        job = http.get(f"/dispatch/{dispatch}", headers=headers).json()
    assert (job["status"], job["exitCode"]) == ("FAILED", 137)


def test_the_sweep_knows_whose_a_leased_worker_is(warm: World) -> None:
    warm.services.pool.keep()
    with warm.http() as http:
        warm.services.pool.ask(CLAUDE, idle_worker(warm)[1]["slot"])
        dispatch = http.post("/dispatch", json=BODY, headers={"X-API-Key": warm.key()}).json()["dispatchId"]
        launch(warm)
    launched = warm.services.launcher._tasks
    (summary,) = launched.running("outpost-claude")
    assert summary.started_by == f"outpost/acme/{dispatch}/1"
    assert launched.find(summary.started_by) == summary.arn


def test_launches_read_no_more_for_what_ended_long_ago(warm: World) -> None:
    slots = DynamoSlots(warm.clients.dynamodb(), warm.settings.jobs_table)
    now = warm.services.clock()
    for number in range(3):
        slots.put(Slot(agent=CLAUDE, slot=f"ended-{number}", created_at=now - 9000))
        slots.lease(CLAUDE, f"ended-{number}", f"outpost/acme/d{number}/1")
        slots.stopped(CLAUDE, f"ended-{number}", now - FORGOTTEN_AFTER - 5 if number else now)
    warm.services.pool.keep()
    assert [each.slot for each in slots.all(CLAUDE) if each.leased_to] == ["ended-0"]


def test_images_that_fail_do_not_start_for_ever(warm: World) -> None:
    for _ in range(FAILURES):
        warm.services.pool.keep()
        task = idle_worker(warm)[2]
        warm.boto("ecs").stop_task(cluster=warm.settings.cluster, task=task["taskArn"])
        stopped(warm, task, 1)
    warm.services.pool.keep()
    assert tasks(warm) == []


def test_an_idle_worker_that_is_not_wanted_is_told_to_go(warm: World) -> None:
    warm.services.pool.keep()
    with warm.http() as http:
        headers, body, _ = idle_worker(warm)
        assert http.post("/worker/lease", json={"slot": "another"}, headers=headers).status_code == 403
        DynamoSlots(warm.clients.dynamodb(), warm.settings.jobs_table).dismiss(CLAUDE, body["slot"])
        assert http.post("/worker/lease", json=body, headers=headers).status_code == 410
        claim = http.post("/worker/claim", json={}, headers=headers)
    assert claim.status_code in (404, 409)


def test_a_slot_is_leased_once(warm: World) -> None:
    store = DynamoSlots(warm.clients.dynamodb(), warm.settings.jobs_table)
    store.put(slot("a"))
    won = []
    threads = [
        threading.Thread(target=lambda n=n: won.append(store.lease(CLAUDE, "a", f"outpost/t/d/{n}")))  # type: ignore[misc]
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]
    assert not store.dismiss(CLAUDE, "a")


def test_without_a_size_nothing_is_asked_of_the_pool(world: World) -> None:
    pool: WarmPool = world.services.pool
    assert not pool.enabled
    assert world.calls_of(pool.keep) == []
