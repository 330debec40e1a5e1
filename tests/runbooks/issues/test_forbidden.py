"""403: which key lacks which scope."""

import pytest

from runbooks.model import Verdict
from tests.runbooks.judging import KEY, assert_root, client, judged, log
from tests.runbooks.world import World, api_key

SCOPES = ("dispatch", "status", "promote", "admin")


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_refused_for_a_scope_that_it_lacks(world: World, scope: str) -> None:
    world.keys.append(api_key("k2", scopes=["cancel"], keyPrefix=KEY[:15]))
    log(world, "scope-missing", scope=scope, apiKeyId="k2", keyPrefix=KEY[:15], route="/some")
    report = assert_root(world, f"forbidden/missing-{scope}-scope", Verdict.WARN)
    assert [e.saw for e in report.findings[0].judgement.evidence] == ["403", "scopes cancel"]
    assert_root(world, f"forbidden/missing-{scope}-scope", Verdict.FAIL, **client())


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("given", ["admin", "the scope itself"])
def test_a_scope_given_since_is_no_finding(world: World, scope: str, given: str) -> None:
    world.keys.append(api_key("k2", scopes=["admin" if given == "admin" else scope]))
    log(world, "scope-missing", scope=scope, apiKeyId="k2", route="/some")
    assert judged(world, f"forbidden/missing-{scope}-scope").judgement.verdict is Verdict.OK


def test_no_key_is_given_a_scope_because_it_asked_for_it(world: World) -> None:
    world.keys.append(api_key("k2", scopes=["status"]))
    log(world, "scope-missing", scope="admin", apiKeyId="k2", route="/admin/keys")
    assert judged(world, "forbidden/missing-admin-scope").plan is None
