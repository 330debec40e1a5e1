"""What AWS did not do is told by whose turn it is to mend it."""

import logging
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from starlette.testclient import TestClient

from tests.service.harness import World

ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
THROTTLING = "dynamodb-throttling"
UNREACHABLE = "health-check-failing/dynamodb-unreachable"


def failing(world: World, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr(world.services.dispatches.store._client, "get_item", fail)


@pytest.mark.parametrize(
    ("code", "told", "runbook", "wait"),
    [
        ("ThrottlingException", "dependency-throttled", THROTTLING, "2"),
        ("ProvisionedThroughputExceededException", "dependency-throttled", THROTTLING, "2"),
        ("AccessDeniedException", "dependency-denied", UNREACHABLE, "30"),
        ("ResourceNotFoundException", "dependency-missing", UNREACHABLE, "30"),
        ("InternalServerError", "dependency-unavailable", UNREACHABLE, "2"),
        ("SomethingNew", "dependency-unavailable", UNREACHABLE, "2"),
    ],
)
def test_each_kind_of_failure_has_its_own_answer(
    world: World,
    http: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    told: str,
    runbook: str,
    wait: str,
) -> None:
    failing(world, monkeypatch, ClientError({"Error": {"Code": code, "Message": "m"}}, "GetItem"))
    answer = http.get(f"/dispatch/{ID}", headers={"X-API-Key": world.key()})
    assert answer.status_code == 503
    assert (answer.json()["code"], answer.json()["runbook"]) == (told, runbook)
    assert code in answer.json()["detail"]
    assert answer.headers["Retry-After"] == wait


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ValidationException", "Message": "a detail"}}, "GetItem"),
        ParamValidationError(report="a detail"),
    ],
)
def test_what_aws_cannot_be_asked_is_a_defect_of_ours(
    world: World,
    http: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    failing(world, monkeypatch, error)
    with caplog.at_level(logging.ERROR):
        answer = http.get(f"/dispatch/{ID}", headers={"X-API-Key": world.key()})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "a detail" not in answer.text
    assert answer.json()["requestId"] == answer.headers["X-Request-Id"]
    assert "Traceback" in caplog.text
    assert "a detail" in caplog.text


def test_a_table_that_was_deleted_is_named_as_missing(world: World, http: TestClient) -> None:
    key = {"X-API-Key": world.key()}
    assert http.get("/fleet", headers=key).status_code == 200
    world.boto("dynamodb").delete_table(TableName=world.settings.jobs_table)
    for method, path, body in (
        ("GET", f"/dispatch/{ID}", None),
        ("POST", "/dispatch", {"agent": "claude", "task": "x"}),
    ):
        answer = http.request(method, path, json=body, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (503, "dependency-missing"), answer.text


@pytest.mark.parametrize(
    ("reason", "status", "told"),
    [
        ("ThrottlingError", 503, "dependency-throttled"),
        ("ProvisionedThroughputExceeded", 503, "dependency-throttled"),
        ("ValidationError", 500, "internal-error"),
    ],
)
def test_a_transaction_tells_why_it_was_cancelled(
    world: World, http: TestClient, monkeypatch: pytest.MonkeyPatch, reason: str, status: int, told: str
) -> None:
    def cancelled(**_: Any) -> None:
        code = "TransactionCanceledException"
        answer: Any = {
            "Error": {"Code": code},
            "CancellationReasons": [{"Code": "None"}, {"Code": reason, "Message": "m"}],
        }
        raise ClientError(answer, "TransactWriteItems")

    monkeypatch.setattr(
        world.services.dispatches.store._acceptance._client, "transact_write_items", cancelled
    )
    answer = http.post("/dispatch", json={"agent": "claude", "task": "x"}, headers={"X-API-Key": world.key()})
    assert (answer.status_code, answer.json()["code"]) == (status, told)
