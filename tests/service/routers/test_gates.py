"""What stands before a route: nothing of a stranger's is read, and guessing keys ends."""

import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from outpost.api_keys import new_key
from service.routers import access
from service.routers.access import source_of
from tests.service.harness import World

GARBAGE = {"content": "{", "headers": {"Content-Type": "application/json"}}


def routes_with_bodies(http: TestClient) -> list[tuple[str, str]]:
    paths = http.get("/openapi.json").json()["paths"]
    return [
        (method.upper(), path.replace("{dispatch_id}", "x").replace("{key_id}", "x"))
        for path, operations in paths.items()
        for method, operation in operations.items()
        if "requestBody" in operation
    ]


def test_a_stranger_is_turned_away_before_the_body_is_read(http: TestClient) -> None:
    routes = routes_with_bodies(http)
    assert len(routes) >= 9
    for method, path in routes:
        assert http.request(method, path, **GARBAGE).status_code == 401, path
        huge = http.request(method, path, content=b"x" * 2_000_000)
        assert huge.status_code == 401, path


def test_garbage_of_a_known_caller_counts_against_its_rate_and_is_in_its_trail(
    world: World, http: TestClient
) -> None:
    key = world.key("acme", requestsPerMinute=3)
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    answers = [http.post("/dispatch", content="{", headers=headers) for _ in range(5)]
    assert [each.status_code for each in answers] == [400, 400, 400, 429, 429]
    assert [each.headers["X-RateLimit-Remaining"] for each in answers] == ["2", "1", "0", "0", "0"]
    assert world.services.audit.flush() == 5


def test_a_key_that_was_revoked_is_refused_and_in_its_tenants_trail(world: World, http: TestClient) -> None:
    http.get("/fleet", headers={"X-API-Key": world.key("acme", status="revoked")})
    world.services.audit.flush()
    trail = http.get("/audit", headers={"X-API-Key": world.key("acme")}).json()["entries"]
    assert [(each["action"], each["status"]) for each in trail] == [("GET /fleet", 401)]


@pytest.fixture
def moving(world: World, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time by which keys and rates go; the test adds to it."""
    offset = [0.0]
    begun = time.time()
    clock = lambda: begun + offset[0]  # noqa: E731 - a clock
    object.__setattr__(world.services, "clock", clock)
    monkeypatch.setattr(world.services.authentication, "_clock", clock)
    return offset


def ask(http: TestClient, key: str, source: str = "203.0.113.7") -> Any:
    return http.get("/fleet", headers={"X-API-Key": key, "X-Forwarded-For": f"10.9.9.9, {source}"})


def test_guessing_keys_ends_in_429_and_slows_no_valid_key(
    world: World, http: TestClient, moving: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "GUESSES_PER_MINUTE", 5)
    known, fresh = world.key(), world.key()
    assert ask(http, known).status_code == 200
    calls = world.calls_of(lambda: [ask(http, new_key()) for _ in range(4)])
    assert calls == ["Query"] * 4
    answers = [ask(http, new_key()) for _ in range(20)]
    assert [each.status_code for each in answers] == [401] + [429] * 19
    refused = answers[-1]
    assert refused.json()["code"] == "too-many-invalid-keys"
    assert int(refused.headers["Retry-After"]) in range(1, 13)
    # The same for what is no key, what is a key, and what has been one: nothing to learn by guessing on.
    others = [ask(http, each).json() for each in ("otp_nonsense", fresh, world.key(status="revoked"))]
    assert {each["code"] for each in others} == {"too-many-invalid-keys"}
    assert world.calls_of(lambda: [ask(http, new_key()) for _ in range(20)]) == [], "no reads any more"
    # A key in use goes on from the very same address, also when it has to be looked up again.
    moving[0] = 9
    assert world.calls_of(lambda: ask(http, known)) == ["Query"]
    assert ask(http, known).status_code == 200
    # Another address is not concerned, and this one may try again after a while.
    assert ask(http, fresh, source="203.0.113.8").status_code == 200
    moving[0] = 80
    assert ask(http, new_key()).status_code == 401


def test_valid_keys_cost_their_address_nothing(
    world: World, http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "GUESSES_PER_MINUTE", 3)
    assert {ask(http, world.key()).status_code for _ in range(10)} == {200}
    monkeypatch.setattr(world.services.authentication._keys, "by_hash", _unreachable)
    assert {ask(http, new_key()).status_code for _ in range(10)} == {503}, "an outage is nobody's guess"


def _unreachable(_: str) -> None:
    from service.domain.ports import UnavailableError

    raise UnavailableError("dynamodb", "EndpointConnectionError")


@pytest.mark.parametrize(
    ("forwarded", "source"),
    [
        (["198.51.100.1"], "198.51.100.1"),
        (["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        (["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        (["unknown"], "unknown"),
        ([], "192.0.2.1"),
    ],
)
def test_the_address_is_the_one_that_the_load_balancer_saw(forwarded: list[str], source: str) -> None:
    """A client writes whatever it likes in front of it."""
    from starlette.requests import Request

    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    scope = {"type": "http", "headers": headers, "client": ("192.0.2.1", 1)}
    assert source_of(Request(scope)) == source
