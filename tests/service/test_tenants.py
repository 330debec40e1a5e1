"""Two tenants walk over every route: the other's ids are 404 everywhere, and look like ids of nobody."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.service.harness import OneAtATime, World, make_world

NOWHERE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
BODIES: dict[str, dict[str, str]] = {"/promote": {"dispatchId": "ID"}, "/keys/{key_id}": {"name": "x"}}
# Routes that name nothing of a tenant: what they show is the caller's own.
OWN = {"/health", "/fleet", "/dispatch", "/keys", "/workspaces", "/audit", "/webhooks/secret", "/findings"}
NAMED = ("{dispatch_id}", "{key_id}", "{workspace_id}")


@pytest.fixture
def world(aws: tuple[str, OneAtATime]) -> World:
    """Both tenants may have everything."""
    return make_world(*aws, persistent_tenants=frozenset({"acme", "rival"}))


def filled(path: str, identity: str) -> str:
    """The path with the id in the place of its parameter."""
    for name in NAMED:
        path = path.replace(name, identity)
    return path


def routes(http: TestClient) -> Iterator[tuple[str, str]]:
    """Method and path of everything that the OpenAPI document has."""
    for path, methods in http.get("/openapi.json").json()["paths"].items():
        for method in methods:
            yield method.upper(), path


def request(http: TestClient, method: str, path: str, identity: str, key: str) -> tuple[int, str]:
    """Status and body, without what differs between any two requests."""
    body = {name: identity if value == "ID" else value for name, value in BODIES.get(path, {}).items()}
    answer = http.request(method, filled(path, identity), json=body or None, headers={"X-API-Key": key})
    text = answer.text.replace(identity, "ID").replace(answer.headers["X-Request-Id"], "REQUEST")
    return answer.status_code, text


def test_another_tenants_ids_are_as_good_as_none(world: World, http: TestClient) -> None:
    mine, theirs = world.key("acme"), world.key("rival")
    headers = {"X-API-Key": theirs}
    dispatch_id = http.post("/dispatch", json={"agent": "claude", "task": "x"}, headers=headers).json()[
        "dispatchId"
    ]
    key_id = http.post("/keys", json={"scopes": ["status"]}, headers=headers).json()["apiKeyId"]
    workspace_id = http.post("/workspaces", json={}, headers=headers).json()["workspaceId"]
    ids = {"{key_id}": key_id, "{workspace_id}": workspace_id}
    walked = 0
    for method, path in routes(http):
        if path in OWN or path.startswith("/worker/"):  # a worker's token names its own dispatch
            continue
        walked += 1
        identity = next((each for name, each in ids.items() if name in path), dispatch_id)
        found = request(http, method, path, identity, mine)
        assert found[0] == 404, (method, path, found)
        assert found == request(http, method, path, NOWHERE, mine), "no oracle: exactly as for no such id"
        own = request(http, method, path, identity, theirs)
        assert own[0] != 404, (method, path, own)
    assert walked >= 10
    body = {"agent": "claude", "task": "x", "workspace": "persistent"}
    named = [
        http.post("/dispatch", json=body | {"workspaceId": each}, headers={"X-API-Key": mine}).status_code
        for each in (workspace_id, NOWHERE)
    ]
    assert named == [404, 404]
    assert http.get("/workspaces", headers={"X-API-Key": mine}).json() == {"workspaces": []}
    listed = http.get("/dispatch", headers={"X-API-Key": mine}).json()["dispatches"]
    assert listed == []
    assert len(http.get("/keys", headers={"X-API-Key": mine}).json()["keys"]) == 1


def test_every_route_but_health_wants_a_key(world: World, http: TestClient) -> None:
    for method, path in routes(http):
        if path != "/health":
            assert http.request(method, filled(path, NOWHERE), json={}).status_code == 401, (method, path)


def test_a_worker_of_one_dispatch_is_nobody_to_another(world: World, http: TestClient) -> None:
    paths = [path for _, path in routes(http) if path.startswith("/worker/")]
    assert len(paths) == 5
    for path in paths:
        for token in ("", "x", "x.y", world.key()):
            body = {"files": [], "exitCode": 0}
            answer = http.post(path, json=body, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401, (path, token)
