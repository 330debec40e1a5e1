"""The routes of dispatches, over HTTP, on the embedded AWS."""

import json

import pytest
from starlette.testclient import TestClient

from tests.service.harness import World

BODY = {"agent": "claude", "task": "add a README", "repository": "acme/site", "branch": "main"}


def post(http: TestClient, key: str, body: dict[str, object] | None = None, **headers: str):
    return http.post("/dispatch", json=body or BODY, headers={"X-API-Key": key, **headers})


def test_an_accepted_dispatch_is_durable_before_the_answer(world: World, http: TestClient) -> None:
    key = world.key()
    calls = world.calls_of(lambda: post(http, key))
    warm = world.calls_of(lambda: post(http, key))
    answer = post(http, key)
    assert answer.status_code == 202
    shown = answer.json()
    assert shown["status"] == "PENDING"
    assert answer.headers["Location"] == f"/dispatch/{shown['dispatchId']}"
    # One read for the key; the first dispatch of a tenant's day learns that the day is new.
    assert calls == ["Query", "TransactWriteItems", "TransactWriteItems", "SendMessage"]
    assert warm == ["TransactWriteItems", "SendMessage"]


def test_a_dispatch_is_one_read(world: World, http: TestClient) -> None:
    key = world.key()
    dispatch_id = post(http, key).json()["dispatchId"]
    headers = {"Authorization": f"Bearer {key}"}
    calls = world.calls_of(lambda: http.get(f"/dispatch/{dispatch_id}", headers=headers))
    assert calls == ["GetItem"]
    shown = http.get(f"/dispatch/{dispatch_id}", headers=headers).json()
    assert shown["task"] == BODY["task"]
    assert shown["branch"] == "main"


def test_cancelling_twice_is_one_cancel_and_an_ended_one_refuses(world: World, http: TestClient) -> None:
    key = world.key()
    dispatch_id = post(http, key).json()["dispatchId"]
    first = http.delete(f"/dispatch/{dispatch_id}", headers={"X-API-Key": key})
    second = http.delete(f"/dispatch/{dispatch_id}", headers={"X-API-Key": key})
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json()["status"] == "CANCELLED"
    assert second.json()["endedAt"] == first.json()["endedAt"]


def test_the_list_loses_nothing_over_pages_and_filters(world: World, http: TestClient) -> None:
    key = world.key()
    made = [
        post(http, key, {**BODY, "agent": agent, "tags": {"n": str(n)}}).json()["dispatchId"]
        for n in range(6)
        for agent in ("claude", "aider")
    ]
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = http.get("/dispatch", params={"limit": 5, **cursor}, headers={"X-API-Key": key}).json()
        found += [each["dispatchId"] for each in page["dispatches"]]
        if "cursor" not in page:
            break
        cursor = {"cursor": page["cursor"]}
    assert found == sorted(made, reverse=True)
    aider = http.get("/dispatch", params={"agent": "aider", "tag": "n=3"}, headers={"X-API-Key": key}).json()
    assert [each["agent"] for each in aider["dispatches"]] == ["aider"]
    assert aider["dispatches"][0]["tags"] == {"n": "3"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"agent": "claude"}, "body.task"),
        ({"agent": "nobody", "task": "x"}, "body.agent"),
        ({"agent": "claude", "task": ""}, "body.task"),
        ({"agent": "claude", "task": "x" * 50_001}, "body.task"),
        ({"agent": "claude", "task": "x", "timeoutSeconds": 29}, "body.timeoutSeconds"),
        ({"agent": "claude", "task": "x", "timeoutSeconds": "60"}, "body.timeoutSeconds"),
        ({"agent": "claude", "task": "x", "repository": "https://u:p@github.com/a/b"}, "body.repository"),
        ({"agent": "claude", "task": "x", "repository": "/etc"}, "body.repository"),
        ({"agent": "claude", "task": "x", "repo": "a/b", "branch": "--upload-pack=x"}, "body.branch"),
        ({"agent": "claude", "task": "x", "surprise": 1}, "body.surprise"),
        ({"agent": "claude", "task": "\ud800"}, "body.task"),
    ],
)
def test_what_is_wrong_with_a_body_is_named(
    world: World, http: TestClient, body: dict[str, object], field: str
) -> None:
    answer = http.post(
        "/dispatch",
        content=json.dumps(body),
        headers={"X-API-Key": world.key(), "Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in [each["field"] for each in answer.json()["errors"]]


def test_a_task_of_50000_characters_in_any_script_reaches_the_table(world: World, http: TestClient) -> None:
    task = "\U0001f680" * 50_000
    answer = post(http, world.key(), {"agent": "claude", "task": task})
    assert answer.status_code == 202
    _, inputs = world.services.dispatches.store.assignment("acme", answer.json()["dispatchId"])
    assert inputs is not None
    assert inputs.task == task


def test_the_guides_curl_needs_no_content_type(world: World, http: TestClient) -> None:
    answer = http.post(
        "/dispatch",
        content='{"agent":"aider","task":"echo hello","timeoutSeconds":30}',
        headers={"X-API-Key": world.key(), "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 202


def test_a_defect_is_a_problem_without_its_details(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(world.services.dispatches.store, "page", broken)
    answer = world.http().get("/dispatch", headers={"X-API-Key": world.key()})
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal-error"
    assert "secret detail" not in answer.text
    assert "Traceback" in caplog.text
    assert "RuntimeError" in caplog.text


def test_a_body_of_ten_megabytes_is_refused_unread(world: World, http: TestClient) -> None:
    answer = http.post("/dispatch", content=b"x" * 10_000_000, headers={"X-API-Key": world.key()})
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "",
        "[]",
        "null",
        '{"\\ud800": 1}',
        '{"tags": {"\\ud800": "x"}}',
        '"x"',
        "\x00",
        '{"agent": NaN}',
        "[" * 100_000,
    ],
)
def test_what_is_not_a_dispatch_is_never_a_server_error(world: World, http: TestClient, content: str) -> None:
    headers = {"X-API-Key": world.key(), "Content-Type": "application/json"}
    answer = http.post("/dispatch", content=content, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/dispatch/", "/health/", "/keys/"])
def test_no_path_is_redirected(http: TestClient, path: str) -> None:
    """Behind a load balancer that ends TLS it would lead to plain HTTP, and take the key along."""
    answer = http.get(path, headers={"X-API-Key": "otp_x"}, follow_redirects=False)
    assert answer.status_code == 404
    assert "location" not in answer.headers


def test_a_pattern_longer_than_any_repositorys_name_is_refused(world: World, http: TestClient) -> None:
    body = {"scopes": ["dispatch"], "repositories": ["*a" * 100_000 + "/x"]}
    assert http.post("/keys", json=body, headers={"X-API-Key": world.key()}).status_code == 422
