"""Workspaces over HTTP: made, listed, used by dispatches, deleted when nothing uses them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from outpost import worker_protocol
from service.application import workspaces
from service.domain.events import LaunchClaimed, Launched
from service.domain.tokens import WorkerIdentity
from tests.service.harness import OneAtATime, World, make_world

BODY = {"agent": "claude", "task": "x", "workspace": "persistent"}


@pytest.fixture
def world(aws: tuple[str, OneAtATime]) -> World:
    return make_world(*aws, persistent_tenants=frozenset({"acme"}))


@pytest.fixture
def http(world: World) -> Iterator[TestClient]:
    with world.http() as client:
        client.headers["X-API-Key"] = world.key("acme", "dispatch", "status", "cancel")
        yield client


def made(http: TestClient, **body: Any) -> str:
    answer = http.post("/workspaces", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["workspaceId"])


def dispatched(http: TestClient, workspace_id: str, **headers: str) -> dict[str, Any]:
    answer = http.post("/dispatch", json={**BODY, "workspaceId": workspace_id}, headers=headers)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def active(http: TestClient, workspace_id: str) -> int:
    return int(http.get(f"/workspaces/{workspace_id}").json()["activeDispatches"])


def test_it_is_made_shown_and_deleted(http: TestClient) -> None:
    answer = http.post("/workspaces", json={"name": "site"})
    workspace_id = answer.json()["workspaceId"]
    assert answer.headers["Location"] == f"/workspaces/{workspace_id}"
    shown = http.get(f"/workspaces/{workspace_id.lower()}")
    assert shown.json() == answer.json()
    assert (shown.json()["name"], shown.json()["activeDispatches"]) == ("site", 0)
    deleted = http.delete(f"/workspaces/{workspace_id}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert http.get(f"/workspaces/{workspace_id}").json()["code"] == "workspace-not-found"
    assert http.delete(f"/workspaces/{workspace_id}").status_code == 404


def test_pages_lose_nothing(http: TestClient) -> None:
    ids = {made(http) for _ in range(5)}
    found, cursor = [], {}
    while True:
        page = http.get("/workspaces", params={"limit": 2, **cursor}).json()
        found += [each["workspaceId"] for each in page["workspaces"]]
        if "cursor" not in page:
            break
        cursor = {"cursor": page["cursor"]}
    assert found == sorted(ids, reverse=True) or set(found) == ids  # made within one millisecond: any order
    assert len(found) == 5
    assert http.get("/workspaces", params={"cursor": "bm9uZQ"}).json()["code"] == "invalid-cursor"


def test_one_that_is_used_stays_until_the_dispatch_ends(http: TestClient) -> None:
    workspace_id = made(http)
    dispatch = dispatched(http, workspace_id)
    assert dispatch["workspaceId"] == workspace_id
    assert active(http, workspace_id) == 1
    refused = http.delete(f"/workspaces/{workspace_id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "workspace-in-use")
    assert http.delete(f"/dispatch/{dispatch['dispatchId']}").json()["status"] == "CANCELLED"
    assert active(http, workspace_id) == 0
    assert http.delete(f"/workspaces/{workspace_id}").status_code == 204
    gone = http.post("/dispatch", json={**BODY, "workspaceId": workspace_id})
    assert (gone.status_code, gone.json()["code"]) == (404, "workspace-not-found")


def test_a_repeated_post_counts_once(http: TestClient) -> None:
    workspace_id = made(http)
    both = [dispatched(http, workspace_id, **{"Idempotency-Key": "k"})["dispatchId"] for _ in range(2)]
    assert both[0] == both[1]
    assert active(http, workspace_id) == 1


def test_a_refused_post_leaves_nothing(world: World, http: TestClient) -> None:
    nowhere = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert http.post("/dispatch", json={**BODY, "workspaceId": nowhere}).status_code == 404
    assert http.get("/dispatch").json() == {"dispatches": []}
    assert http.get("/workspaces").json() == {"workspaces": []}


def test_the_limit_is_exact_in_parallel(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspaces, "MAX_PER_TENANT", 3)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: http.post("/workspaces", json={}), range(8)))
    assert sorted(each.status_code for each in answers) == [201] * 3 + [409] * 5
    assert {each.json()["code"] for each in answers if each.status_code == 409} == {"workspace-limit"}
    kept = http.get("/workspaces").json()["workspaces"]
    http.delete(f"/workspaces/{kept[0]['workspaceId']}")
    made(http)


def test_the_worker_is_told_the_directory_of_the_tenants_own_family(world: World, http: TestClient) -> None:
    workspace_id = made(http)
    dispatch_id = dispatched(http, workspace_id)["dispatchId"]
    message = world.boto("sqs").receive_message(QueueUrl=world.settings.launch_queue_url)["Messages"][0]
    assert '"fresh": false' in message["Body"], "launchers must read which workspace it is for"
    dispatches = world.services.dispatches
    job = dispatches.apply("acme", dispatch_id, LaunchClaimed()).job
    assert world.services.launcher._spec(job).family == "outpost-claude-acme"
    dispatches.apply("acme", dispatch_id, Launched(attempt=1, arn="arn:task"))
    token = world.services.tokens.issue(WorkerIdentity("acme", dispatch_id, 1))
    headers = {"Authorization": f"Bearer {token}"}
    assignment = http.post(worker_protocol.CLAIM_ROUTE, json={}, headers=headers).json()
    assert (assignment["workspace"], assignment["workspaceId"]) == ("persistent", workspace_id)


@pytest.mark.parametrize(
    ("path", "body"), [("/workspaces", {}), ("/dispatch", BODY)], ids=["make", "dispatch"]
)
def test_a_tenant_without_persistent_mode_is_told_what_to_do(
    world: World, http: TestClient, path: str, body: dict[str, Any]
) -> None:
    answer = http.post(path, json=body, headers={"X-API-Key": world.key("other")})
    assert (answer.status_code, answer.json()["code"]) == (409, "persistent-mode-disabled")
    assert "persistentTenants" in answer.json()["remedy"]


def test_an_id_needs_persistent_mode(http: TestClient) -> None:
    body = {**BODY, "workspace": "ephemeral", "workspaceId": made(http)}
    answer = http.post("/dispatch", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.workspaceId")
    for odd in ("..", "../01ARZ3NDEKTSV4RRFFQ69G5FAV", "01arz3ndektsv4rrffq69g5fav", ""):
        assert http.post("/dispatch", json={**BODY, "workspaceId": odd}).status_code == 422, odd


def test_scopes(world: World, http: TestClient) -> None:
    workspace_id = made(http)
    one = f"/workspaces/{workspace_id}"
    calls = [("POST", "/workspaces"), ("GET", "/workspaces"), ("GET", one), ("DELETE", one)]
    for scope, allowed in (("status", {"GET"}), ("dispatch", {"POST", "DELETE"}), ("cancel", set())):
        key = {"X-API-Key": world.key("acme", scope)}
        for method, path in calls:
            body = {} if method == "POST" else None
            status = http.request(method, path, json=body, headers=key).status_code
            assert (status != 403) == (method in allowed), (scope, method, path, status)


def test_calls_are_in_the_audit_trail(world: World, http: TestClient) -> None:
    made(http)
    world.services.audit.flush()
    entries = http.get("/audit", headers={"X-API-Key": world.key("acme")}).json()["entries"]
    assert "POST /workspaces" in {each["action"] for each in entries}
