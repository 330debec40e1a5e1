"""401: whose key was refused, and what its record says."""

from datetime import datetime, timedelta

import pytest

from runbooks.looking import CouldNotLook
from runbooks.model import Verdict
from runbooks.observations import access
from tests.runbooks.judging import KEY, assert_root, client, judged, log
from tests.runbooks.world import NOW, World, api_key

PREFIX = KEY[:15]
REFUSED = "client-failing/authentication-error"


def test_an_unknown_key_of_another_caller_is_a_warning(world: World) -> None:
    log(world, "auth-refused", code="key-not-found", keyPrefix=PREFIX, route="/dispatch")
    report = assert_root(world, "unauthorized/key-not-found", Verdict.WARN)
    assert PREFIX in report.findings[0].judgement.summary


def test_an_unknown_key_in_the_environment_is_a_failure_that_explains_the_clients(world: World) -> None:
    world.http["http://api.example/fleet"] = {"status": 401, "body": "{}"}
    report = assert_root(world, "unauthorized/key-not-found", Verdict.FAIL, REFUSED, **client())
    assert report.findings[0].explains == ("authentication-error",)


def test_what_is_no_key_at_all_is_counted(world: World) -> None:
    log(world, "auth-refused", code="key-not-found", keyPrefix=None)
    assert_root(world, "unauthorized/key-not-found", Verdict.WARN)


def test_a_key_provisioned_since_is_no_finding(world: World) -> None:
    log(world, "auth-refused", code="key-not-found", keyPrefix=PREFIX)
    world.keys.append(api_key("k2", keyPrefix=PREFIX))
    assert judged(world, "unauthorized/key-not-found").judgement.verdict is Verdict.OK


def test_a_table_too_large_to_read_says_nothing_of_a_key(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "KEYS", 0)
    log(world, "auth-refused", code="key-not-found", keyPrefix=PREFIX)
    assert judged(world, "unauthorized/key-not-found").judgement.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("code", "record"),
    [
        ("key-revoked", {"status": "revoked"}),
        ("key-expired", {"expiresAt": "2026-01-14T11:00:00Z"}),
        ("key-expired", {"expiresAt": 1768388400}),  # an hour before, in seconds
    ],
)
def test_a_key_that_is_no_longer_good(world: World, code: str, record: dict[str, object]) -> None:
    world.keys.append(api_key("k2", keyPrefix=PREFIX, **record))
    log(world, "auth-refused", code=code, keyPrefix=PREFIX, route="/dispatch")
    assert_root(world, f"unauthorized/{code}", Verdict.WARN)
    world.http["http://api.example/fleet"] = {"status": 401, "body": "{}"}
    assert_root(world, f"unauthorized/{code}", Verdict.FAIL, REFUSED, **client())


def test_a_revoked_key_that_nobody_uses_is_no_finding(world: World) -> None:
    world.keys.append(api_key("k2", status="revoked", expiresAt="2020-01-01T00:00:00Z"))
    for code in ("key-revoked", "key-expired"):
        assert judged(world, f"unauthorized/{code}").judgement.verdict is Verdict.OK


def test_the_wrong_header_is_named(world: World) -> None:
    log(world, "auth-refused", code="wrong-header", keyPrefix=None, route="/fleet", sentIn="api-key")
    report = assert_root(world, "unauthorized/wrong-header", Verdict.WARN)
    assert report.findings[0].judgement.evidence[0].saw == "a key in `api-key`"


def test_a_key_in_the_wrong_header_is_named(world: World) -> None:
    """Without its name nobody can tell its holder."""
    log(world, "auth-refused", code="wrong-header", keyPrefix=PREFIX, route="/fleet", sentIn="api-key")
    told = judged(world, "unauthorized/wrong-header").judgement
    assert told.summary.endswith(f", an unknown key ({PREFIX}...)")
    world.keys.append(api_key("k2", keyPrefix=PREFIX))
    told = judged(world, "unauthorized/wrong-header").judgement
    assert told.evidence[0].resource.startswith("request /fleet, key k2 of ")
    assert told.summary.endswith(told.evidence[0].resource.partition(", ")[2])
    assert [command.partition(" -H ")[2] for command in told.commands] == ['"X-API-Key: $OUTPOST_API_KEY"']


def test_without_the_log_nothing_is_said(world: World) -> None:
    world.failing["logs:FilterLogEvents"] = CouldNotLook("logs:FilterLogEvents", "denied")
    for code in ("key-not-found", "key-revoked", "key-expired", "wrong-header"):
        assert judged(world, f"unauthorized/{code}").judgement.verdict is Verdict.UNKNOWN


def test_a_refusal_says_when_it_was_and_the_last_one_comes_first(world: World) -> None:
    for prefix, late in ((PREFIX, 0), ("otp_0123456789a", 500), (PREFIX, 60)):
        log(world, "auth-refused", code="key-not-found", keyPrefix=prefix, late=late)
    judgement = judged(world, "unauthorized/key-not-found").judgement
    assert judgement.summary == (
        "2 caller(s) refused; key otp_0123456789a...: no such key; "
        "last refused at 11:54:20 UTC, 5 minutes ago"
    )
    assert judgement.commands == ("./inv keys.create --tenant TENANT --scopes dispatch,status",)


def test_the_command_that_replaces_a_key_has_its_tenant_and_scopes(world: World) -> None:
    world.keys.append(api_key("k2", keyPrefix=PREFIX, status="revoked", tenantId="acme"))
    log(world, "auth-refused", code="key-revoked", keyPrefix=PREFIX)
    commands = judged(world, "unauthorized/key-revoked").judgement.commands
    assert commands == ("./inv keys.create --tenant acme --scopes dispatch,status",)


@pytest.mark.parametrize(
    ("used", "verdict"), [(NOW, Verdict.OK), (NOW - timedelta(minutes=14), Verdict.WARN)]
)
def test_a_key_that_was_taken_since_it_came_in_the_wrong_header(
    world: World, used: datetime, verdict: Verdict
) -> None:
    """Uses are written every 30 seconds, so that one within them may have been before the refusal."""
    world.keys.append(api_key("k2", keyPrefix=PREFIX, lastUsedAt=used.timestamp()))
    log(world, "auth-refused", code="wrong-header", keyPrefix=PREFIX, route="/fleet", sentIn="api-key")
    judgement = judged(world, "unauthorized/wrong-header").judgement
    assert judgement.verdict is verdict
    if verdict is Verdict.WARN:
        assert "last on /fleet at 11:46:00 UTC, 14 minutes ago" in judgement.summary


def test_an_address_that_tries_keys_is_told(world: World) -> None:
    log(world, "auth-throttled", source="203.0.113.9", late=60)
    judgement = judged(world, "unauthorized/key-not-found").judgement
    assert judgement.verdict is Verdict.WARN
    assert "address 203.0.113.9: more than 100 wrong keys in a minute" in judgement.summary
