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
    seen = [e.saw for e in report.findings[0].judgement.evidence]
    assert seen == ["403, last at 11:46:00 UTC, 14 minutes ago", "scopes cancel"]
    wanted = () if scope == "admin" else (f"./inv keys.scopes --key k2 --scopes cancel,{scope}",)
    assert report.findings[0].judgement.commands == wanted
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


def test_the_key_that_was_refused_last_is_told_first(world: World) -> None:
    for identity, late in (("k2", 60), ("k3", 600), ("k2", 0)):
        log(world, "scope-missing", scope="promote", apiKeyId=identity, route="/promote", late=late)
    world.keys += [api_key("k2"), api_key("k3")]
    judgement = judged(world, "forbidden/missing-promote-scope").judgement
    assert judgement.summary == "2 key(s) lack `promote`, last refused: k3 at 11:56:00 UTC, 4 minutes ago"
    assert judgement.commands == ("./inv keys.scopes --key k3 --scopes dispatch,promote,status",)
