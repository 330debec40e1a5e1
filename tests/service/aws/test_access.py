"""A start is refused by what AWS refuses for good, and by nothing that may pass."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from outpost.errors import OutpostError
from service.aws import access
from service.aws.access import AccessChecks
from service.aws.clients import Clients
from tests.service.harness import REGION, World


class Answers:
    """`Clients` whose every call is answered by `answer`, and counted."""

    def __init__(self, answer: Callable[[int], object]) -> None:
        self._answer = answer
        self.calls = 0

    def impatient(self, _: str) -> "Answers":
        return self

    def get_item(self, **_: Any) -> None:
        self.calls += 1
        self._answer(self.calls)

    get_queue_attributes = get_item


def refusing(code: str) -> Callable[[int], object]:
    def answer(_: int) -> None:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "GetItem")

    return answer


def checks(world: World, answer: Callable[[int], object]) -> AccessChecks:
    return AccessChecks(world.settings, Answers(answer))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "REPEATS", (0, 0))


def test_a_healthy_stack_is_asked_once_each(world: World) -> None:
    calls = world.calls_of(lambda: AccessChecks(world.settings, world.clients).finish())
    assert sorted(calls) == ["GetItem"] * 4 + ["GetQueueAttributes"] * 2


@pytest.mark.parametrize("setting", ["jobs_table", "api_keys_table", "audit_table", "workspaces_table"])
def test_a_table_that_is_not_there_is_named(world: World, setting: str) -> None:
    settings = replace(world.settings, **{setting: "outpost-nowhere"})
    expected = "table outpost-nowhere .*does not exist.*health-check-failing/dynamodb-unreachable"
    with pytest.raises(OutpostError, match=expected):
        AccessChecks(settings, world.clients).finish()


@pytest.mark.parametrize("setting", ["launch_queue_url", "events_queue_url"])
def test_a_queue_that_is_not_there_is_named(world: World, setting: str) -> None:
    settings = replace(world.settings, **{setting: f"{getattr(world.settings, setting)}-nowhere"})
    with pytest.raises(OutpostError, match=r"queue \S+-nowhere .*does not exist.*\(runbook \S+/\S+\)"):
        AccessChecks(settings, world.clients).finish()


def test_a_role_that_may_not_is_named(world: World) -> None:
    with pytest.raises(OutpostError, match=f"table {world.settings.jobs_table} .*AccessDeniedException"):
        checks(world, refusing("AccessDeniedException")).finish()


def test_a_policy_that_takes_effect_late_is_waited_for(world: World) -> None:
    def answer(call: int) -> None:
        if call <= 6:
            refusing("AccessDeniedException")(call)

    checks(world, answer).finish()


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerError", "ServiceUnavailable"])
def test_what_may_pass_is_no_refusal(world: World, code: str) -> None:
    checks(world, refusing(code)).finish()


def test_no_connection_is_no_refusal(world: World) -> None:
    def answer(_: int) -> None:
        raise ConnectTimeoutError(endpoint_url="https://dynamodb")

    checks(world, answer).finish()


def test_no_answer_does_not_hold_the_start_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "BUDGET", 0.1)
    begun = time.monotonic()
    checks(world, lambda _: time.sleep(2)).finish()
    assert time.monotonic() - begun < 1


def test_an_unreachable_endpoint_is_no_refusal(world: World) -> None:
    nobody = Clients(REGION, world.clients._session, "http://127.0.0.1:9")
    AccessChecks(world.settings, nobody).finish()
