"""Who may call what: keys, scopes, rates, tenants."""

import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.application import authentication
from service.routers import access
from tests.service.harness import World

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def test_a_known_key_costs_no_read_and_its_use_is_counted_in_batches(world: World, http: TestClient) -> None:
    key = world.key(tenant="acme")
    first = world.calls_of(lambda: http.get("/fleet", headers={"X-API-Key": key}))
    again = world.calls_of(lambda: [http.get("/fleet", headers={"X-API-Key": key}) for _ in range(50)])
    assert first == ["Query"]
    assert again == []
    assert world.calls_of(world.services.authentication.flush_usage) == ["UpdateItem"]
    stored = world.boto("dynamodb").query(
        TableName=world.settings.api_keys_table,
        IndexName="tenantId-index",
        KeyConditionExpression="tenantId = :t",
        ExpressionAttributeValues={":t": {"S": "acme"}},
    )["Items"][0]
    assert stored["usageCount"] == {"N": "51"}


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"status": "revoked"}, "key-revoked"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "key-expired"),
        ({"expiresAt": 1577836800}, "key-expired"),
        ({"expiresAt": "no date"}, "key-expired"),
    ],
)
def test_a_key_that_is_no_longer_good(
    world: World, http: TestClient, attributes: dict[str, Any], code: str
) -> None:
    answer = http.get("/fleet", headers={"X-API-Key": world.key("acme", "admin", **attributes)})
    assert answer.status_code == 401
    assert answer.json()["detail"] == "Invalid API key"
    assert answer.json()["code"] == code
    assert answer.json()["runbook"] == f"unauthorized/{code}"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "wrong-header"),
        ({"Api-Key": "otp_" + "0" * 64}, "wrong-header"),
        ({"X-API-Key": "otp_" + "0" * 64}, "key-not-found"),
        ({"X-API-Key": "nonsense"}, "key-not-found"),
        ({"Authorization": "Bearer nonsense"}, "key-not-found"),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, "wrong-header"),
    ],
)
def test_no_key_or_a_wrong_one(http: TestClient, headers: dict[str, str], code: str) -> None:
    answer = http.get("/fleet", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == code
    assert "WWW-Authenticate" in answer.headers


@pytest.mark.parametrize(
    ("scopes", "method", "path", "missing"),
    [
        (("status",), "POST", "/dispatch", "dispatch"),
        (("dispatch",), "GET", f"/dispatch/{ULID}", "status"),
        (("dispatch", "status"), "DELETE", f"/dispatch/{ULID}", "cancel"),
        (("dispatch", "status", "cancel", "promote"), "POST", "/keys", "admin"),
        (("dispatch",), "GET", "/fleet", "status"),
    ],
)
def test_a_missing_scope_is_named(
    world: World, http: TestClient, scopes: tuple[str, ...], method: str, path: str, missing: str
) -> None:
    body = {"agent": "claude", "task": "x"} if path == "/dispatch" else {"scopes": ["status"]}
    answer = http.request(method, path, headers={"X-API-Key": world.key("acme", *scopes)}, json=body)
    assert answer.status_code == 403
    assert "Insufficient scope" in answer.json()["detail"]
    assert answer.json()["missingScope"] == missing


def test_a_revoked_key_stops_within_ten_seconds_everywhere(
    world: World, http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = {"X-API-Key": world.key()}
    made = http.post("/keys", json={"scopes": ["status"]}, headers=admin).json()
    key = {"X-API-Key": made["key"]}
    assert http.get("/fleet", headers=key).status_code == 200
    # Another replica revokes it: here it is still remembered, for less than ten seconds.
    world.boto("dynamodb").update_item(
        TableName=world.settings.api_keys_table,
        Key={"apiKeyId": {"S": made["apiKeyId"]}},
        UpdateExpression="SET #s = :r",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":r": {"S": "revoked"}},
    )
    now = time.time()
    monkeypatch.setattr(world.services.authentication, "_clock", lambda: now + 9.9)
    assert authentication.KNOWN_SECONDS < 10
    assert http.get("/fleet", headers=key).status_code == 401
    # Revoked here, it stops at once.
    other = http.post("/keys", json={"scopes": ["status"]}, headers=admin).json()
    assert http.get("/fleet", headers={"X-API-Key": other["key"]}).status_code == 200
    http.delete(f"/keys/{other['apiKeyId']}", headers=admin)
    assert http.get("/fleet", headers={"X-API-Key": other["key"]}).status_code == 401


def test_keys_are_made_shown_once_rotated_and_changed(world: World, http: TestClient) -> None:
    admin = {"X-API-Key": world.key()}
    made = http.post("/keys", json={"scopes": ["status"], "name": "ci"}, headers=admin)
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    secret, key_id = made.json()["key"], made.json()["apiKeyId"]
    assert secret.startswith("otp_")
    assert len(secret) == 68
    listed = http.get("/keys", headers=admin).text
    assert secret not in listed
    assert secret[:15] in listed
    rotated = http.post(f"/keys/{key_id}/rotate", json={"overlapSeconds": 0}, headers=admin).json()
    assert rotated["scopes"] == ["status"]
    assert http.get("/fleet", headers={"X-API-Key": rotated["key"]}).status_code == 200
    assert http.get("/fleet", headers={"X-API-Key": secret}).json()["code"] == "key-expired"
    http.patch(f"/keys/{rotated['apiKeyId']}", json={"scopes": ["dispatch"]}, headers=admin)
    assert http.get("/fleet", headers={"X-API-Key": rotated["key"]}).status_code == 403


def test_the_request_rate_is_exact_and_says_when_to_come_back(world: World, http: TestClient) -> None:
    key = {"X-API-Key": world.key(requestsPerMinute=5)}
    answers = [http.get("/fleet", headers=key) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
    assert answers[0].headers["X-RateLimit-Limit"] == "5"
    assert answers[0].headers["X-RateLimit-Remaining"] == "4"
    assert int(answers[-1].headers["Retry-After"]) in range(1, 14)
    assert answers[-1].json()["runbook"] == "client-failing/rate-limited"


@pytest.mark.parametrize("key_id", ["a" * 3000, "%00", "%C3%A9", "%ED%A0%80"])
def test_what_cannot_be_a_keys_id_is_not_asked_for(world: World, http: TestClient, key_id: str) -> None:
    """DynamoDB refuses keys of over 2,048 bytes, which would read as an outage."""
    headers = {"X-API-Key": world.key()}
    http.get("/keys", headers=headers)
    calls = world.calls_of(lambda: http.get(f"/keys/{key_id}", headers=headers))
    assert calls == []
    assert http.delete(f"/keys/{key_id}", headers=headers).json()["code"] == "key-not-found"


def test_a_key_in_the_wrong_header_is_logged_by_its_prefix(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By which the runbooks see whether its caller has found the right header since; never the whole key."""
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(access.log, "warning", lambda message, **fields: logged.append(fields))
    key = "otp_" + "ab" * 32
    http.get("/fleet", headers={"Api-Key": key})
    http.get("/fleet", headers={"Api-Key": "otp_of-another-form"})
    assert [(line["sentIn"], line["keyPrefix"]) for line in logged] == [
        ("api-key", key[:15]),
        ("api-key", None),
    ]
    assert key not in str(logged)
