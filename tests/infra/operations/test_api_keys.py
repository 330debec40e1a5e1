"""API keys made by an operator are taken by the control plane, and ended ones are not."""

from datetime import timedelta

import httpx
import pytest

from infra.operations import api_keys
from infra.operations.running import Running
from local.testing import LocalRegion
from outpost.api_keys import Scope
from outpost.errors import OutpostError
from runbooks.aws import Connection
from runbooks.target import Target

pytestmark = pytest.mark.region
REVOKED_WITHIN = 10  # seconds, as DESIGN promises


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def running(region: LocalRegion, said: list[str]) -> Running:
    target = Target.from_environment(environment=region.environment)
    return Running(target=target, connection=Connection(target), say=said.append)


def created(running: Running, *scopes: Scope, tenant: str = "keys-test") -> api_keys.NewKey:
    made = api_keys.item(tenant, scopes, "a test", timedelta(hours=1))
    assert api_keys.create(running, made, yes=True, dry_run=False)
    return made


def status(region: LocalRegion, key: str) -> int:
    return httpx.get(f"{region.api_url}/dispatch", headers={"X-API-Key": key}, timeout=10).status_code


def test_a_created_key_is_taken_and_a_revoked_one_refused(region: LocalRegion, running: Running) -> None:
    made = created(running, Scope.STATUS)
    assert status(region, made.key) == 200
    api_keys.revoke(running, made.api_key_id, yes=True, dry_run=False)
    region.wait_for(lambda: status(region, made.key) == 401, timeout=REVOKED_WITHIN)


def test_other_scopes_apply(region: LocalRegion, running: Running) -> None:
    made = created(running, Scope.CANCEL)
    api_keys.set_scopes(running, made.api_key_id, [Scope.STATUS], yes=True, dry_run=False)
    assert status(region, made.key) == 200


def test_a_rotated_key_has_a_successor_with_its_scopes(region: LocalRegion, running: Running) -> None:
    old = created(running, Scope.STATUS)
    new = api_keys.rotate(running, old.api_key_id, timedelta(0), yes=True, dry_run=False)
    assert new
    assert status(region, new.key) == 200
    assert status(region, old.key) == 401


def test_rotating_an_expired_key_does_not_let_it_in_again(region: LocalRegion, running: Running) -> None:
    old = api_keys.item("keys-test", [Scope.STATUS], "a test", timedelta(seconds=-60))
    assert api_keys.create(running, old, yes=True, dry_run=False)
    new = api_keys.rotate(running, old.api_key_id, timedelta(days=1), yes=True, dry_run=False)
    assert new
    assert (status(region, new.key), status(region, old.key)) == (200, 401)


def test_a_list_shows_neither_keys_nor_hashes(running: Running) -> None:
    made = created(running, Scope.STATUS, tenant="listed")
    (found,) = api_keys.keys(running, "listed")
    assert (found["apiKeyId"], found["scopes"], found["status"]) == (made.api_key_id, ["status"], "active")
    assert made.key not in str(found)
    assert "keyHash" not in found


def test_a_dry_run_says_the_call_and_changes_nothing(running: Running, said: list[str]) -> None:
    made = api_keys.item("dry", [Scope.STATUS], "", None)
    assert not api_keys.create(running, made, yes=False, dry_run=True)
    assert any("would call: dynamodb:PutItem outpost-api-keys-dev" in line for line in said)
    assert made.key not in str(said)
    assert api_keys.keys(running, "dry") == []


def test_an_unknown_key_or_scope_is_named(running: Running) -> None:
    with pytest.raises(OutpostError, match="no key 'nobody'"):
        api_keys.revoke(running, "nobody", yes=True, dry_run=False)
    with pytest.raises(OutpostError, match="everything"):
        api_keys.scopes_of("status,everything")
