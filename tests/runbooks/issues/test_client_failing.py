"""Clients that fail: no way to the API, no key, too many requests."""

import json

import pytest

from runbooks.model import Verdict
from runbooks.report import document
from runbooks.run import diagnose
from tests.runbooks.judging import CONTROL_PLANE_LOG, KEY, URL, assert_root, client, judged, log
from tests.runbooks.world import BALANCER, World, api_key, target

NO_ANSWER = {"error": "no connection in 5 s", "failed": "connect"}


@pytest.fixture
def known(world: World) -> World:
    """A world that knows the environment's key."""
    world.keys.append(api_key("mine", keyPrefix=KEY[:15], scopes=["admin"]))
    return world


def test_no_client_is_no_finding(world: World) -> None:
    for cause in ("connection-timeout", "authentication-error"):
        assert judged(world, f"client-failing/{cause}").judgement.verdict is Verdict.SKIPPED


def test_a_configured_client_that_works_is_no_finding(known: World) -> None:
    assert diagnose(target(**client()), known).findings == ()


@pytest.mark.parametrize("failed", ["connect", "silent"])
def test_an_api_that_does_not_answer_in_time(known: World, failed: str) -> None:
    known.http[f"{URL}/health"] = {"error": "no answer", "failed": failed}
    assert_root(known, "client-failing/connection-timeout", Verdict.FAIL, **client())


def test_a_load_balancer_that_lets_nobody_in_fails_every_client(world: World) -> None:
    world.groups[BALANCER]["IpPermissions"] = []
    report = assert_root(world, "client-failing/connection-timeout", Verdict.FAIL)
    assert BALANCER in report.findings[0].judgement.summary


def test_a_missing_key(world: World) -> None:
    assert_root(world, "client-failing/authentication-error", Verdict.FAIL, api_url=URL)


def test_a_key_of_another_form_is_never_shown(world: World) -> None:
    secret = "another-services-key-0123456789"
    report = assert_root(
        world, "client-failing/authentication-error", Verdict.FAIL, api_url=URL, api_key=secret
    )
    assert secret[:8] not in document.render(report, everything=True)


def test_a_refused_key_is_named_by_its_prefix_only(known: World) -> None:
    known.http[f"{URL}/fleet"] = {"status": 401, "body": "{}"}
    report = assert_root(known, "client-failing/authentication-error", Verdict.FAIL, **client())
    text = document.render(report, everything=True)
    assert KEY[:15] in text
    assert KEY[:16] not in text


def test_a_key_without_the_scope_to_ask_is_not_made_to_ask(world: World) -> None:
    world.keys.append(api_key("mine", keyPrefix=KEY[:15], scopes=["dispatch"]))
    found = judged(world, "client-failing/authentication-error", **client())
    assert found.judgement.verdict is Verdict.OK
    assert world.calls["http:Get"] == 1  # /health alone


def test_an_api_that_is_down_says_nothing_of_the_key(known: World) -> None:
    known.http[f"{URL}/fleet"] = {"status": 503, "body": ""}
    found = judged(known, "client-failing/authentication-error", **client())
    assert found.judgement.verdict is Verdict.UNKNOWN


def test_what_the_client_does_about_a_429_is_told(world: World) -> None:
    log(world, "rate-limited", apiKeyId="k1", keyPrefix="otp_k1000000000", retryAfter=20)
    report = assert_root(world, "client-failing/rate-limited", Verdict.WARN)
    assert "is told to wait" in report.findings[0].judgement.summary
    log(world, "rate-limited", apiKeyId="k1", keyPrefix="otp_k1000000000", retryAfter=20)
    report = assert_root(world, "client-failing/rate-limited", Verdict.WARN)
    assert "does not wait" in report.findings[0].judgement.summary


def test_ones_own_client_that_does_not_wait_is_a_failure(known: World) -> None:
    for _ in range(2):
        log(known, "rate-limited", apiKeyId="mine", keyPrefix=KEY[:15], retryAfter=20)
    assert_root(known, "client-failing/rate-limited", Verdict.FAIL, **client())
    assert json.loads(known.log[CONTROL_PLANE_LOG][0])["retryAfter"] == 20


@pytest.mark.parametrize(
    ("code", "verdict"), [("too-many-invalid-keys", Verdict.UNKNOWN), ("rate-limited", Verdict.OK)]
)
def test_a_429_says_of_the_key_only_what_it_is_for(world: World, code: str, verdict: Verdict) -> None:
    world.http["http://api.example/fleet"] = {"status": 429, "body": json.dumps({"code": code})}
    judgement = judged(world, "client-failing/authentication-error", **client()).judgement
    assert judgement.verdict is verdict
