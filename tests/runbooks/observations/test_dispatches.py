"""Jobs of every tenant, or a word about why not."""

import pytest

from runbooks.model import Verdict
from runbooks.observations import dispatches
from runbooks.run import diagnose
from tests.runbooks.judging import judged
from tests.runbooks.world import World, api_key, target

CAUSE = "agent-fails-immediately/model-not-found"


def test_the_last_of_many_tenants_is_looked_at_too(world: World) -> None:
    world.keys = [api_key(f"k{number}", tenantId=f"tenant-{number:04}") for number in range(300)]
    diagnose(target(), world)
    assert world.calls["dynamodb:Query"] == 300


def test_more_tenants_than_can_be_looked_at_is_unknown_and_not_ok(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatches, "TENANTS", 2)
    assert judged(world, CAUSE).judgement.verdict is Verdict.OK
    world.keys = [api_key(f"k{number}", tenantId=f"tenant-{number}") for number in range(3)]
    assert judged(world, CAUSE).judgement.verdict is Verdict.UNKNOWN
