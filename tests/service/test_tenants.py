"""Two tenants walk over every route: the other's ids are 404 everywhere, and look like ids of nobody."""

from collections.abc import Iterator

from starlette.testclient import TestClient

from tests.service.harness import World

NOWHERE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
BODIES = {"/promote": {"dispatchId": "ID"}, "/keys/{key_id}": {"name": "x"}}
# Routes that name nothing of a tenant: what they show is the caller's own.
OWN = {"/health", "/fleet", "/dispatch", "/keys", "/audit", "/webhooks/secret", "/findings"}


def routes(http: TestClient) -> Iterator[tuple[str, str]]:
    """Method and path of everything that the OpenAPI document has."""
    for path, methods in http.get("/openapi.json").json()["paths"].items():
        for method in methods:
            yield method.upper(), path


def request(http: TestClient, method: str, path: str, identity: str, key: str) -> tuple[int, str]:
    """Status and body, without what differs between any two requests."""
    filled = path.replace("{dispatch_id}", identity).replace("{key_id}", identity)
    body = {name: identity if value == "ID" else value for name, value in BODIES.get(path, {}).items()}
    answer = http.request(method, filled, json=body or None, headers={"X-API-Key": key})
    text = answer.text.replace(identity, "ID").replace(answer.headers["X-Request-Id"], "REQUEST")
    return answer.status_code, text


def test_another_tenants_ids_are_as_good_as_none(world: World, http: TestClient) -> None:
    mine, theirs = world.key("acme"), world.key("rival")
    headers = {"X-API-Key": theirs}
    dispatch_id = http.post("/dispatch", json={"agent": "claude", "task": "x"}, headers=headers).json()[
        "dispatchId"
    ]
    key_id = http.post("/keys", json={"scopes": ["status"]}, headers=headers).json()["apiKeyId"]
    walked = 0
    for method, path in routes(http):
        if path in OWN:
            continue
        walked += 1
        identity = key_id if "{key_id}" in path else dispatch_id
        found = request(http, method, path, identity, mine)
        assert found[0] == 404, (method, path, found)
        assert found == request(http, method, path, NOWHERE, mine), "no oracle: exactly as for no such id"
        own = request(http, method, path, identity, theirs)
        assert own[0] != 404, (method, path, own)
    assert walked >= 10
    listed = http.get("/dispatch", headers={"X-API-Key": mine}).json()["dispatches"]
    assert listed == []
    assert len(http.get("/keys", headers={"X-API-Key": mine}).json()["keys"]) == 1


def test_every_route_but_health_wants_a_key(world: World, http: TestClient) -> None:
    for method, path in routes(http):
        if path != "/health":
            filled = path.replace("{dispatch_id}", NOWHERE).replace("{key_id}", NOWHERE)
            assert http.request(method, filled, json={}).status_code == 401, (method, path)


def test_a_worker_of_one_dispatch_is_nobody_to_another(world: World, http: TestClient) -> None:
    for path in ("/worker/claim", "/worker/uploads", "/worker/result", "/worker/heartbeat"):
        for token in ("", "x", "x.y", world.key()):
            body = {"files": [], "exitCode": 0}
            answer = http.post(path, json=body, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401, (path, token)
