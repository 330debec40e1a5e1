"""Memory pressure: smaller than recommended is a risk; killed for it is a failure."""

import pytest

from outpost.agents import AGENTS
from outpost.names import family
from runbooks.model import Verdict
from tests.runbooks.judging import assert_root, judged, operations
from tests.runbooks.world import World, task

TIERS = {"flagship": "claude", "balanced": "gemini", "fast": "grok"}


def shrink(world: World, agent: str) -> None:
    spec = next(spec for spec in AGENTS.values() if spec.agent == agent)
    world.definitions[family(spec.agent)]["memory"] = str(spec.tier.memory // 2)


def test_a_small_control_plane_is_a_risk_until_it_is_killed(world: World) -> None:
    world.definitions[world.service["taskDefinition"]]["memory"] = "1024"
    report = assert_root(world, "memory-pressure/control-plane-undersized", Verdict.WARN)
    assert operations(report) == ["ecs:RegisterTaskDefinition", "ecs:UpdateService"]
    plan = report.findings[0].plan
    assert plan is not None
    assert plan.actions[0].call.parameters["memory"] == "2048"
    killed = task(
        "t0", "STOPPED", world.service["taskDefinition"], exitCode=137, reason="OutOfMemoryError: killed"
    )
    world.stopped = [killed]
    report = assert_root(
        world,
        "memory-pressure/control-plane-undersized",
        Verdict.FAIL,
        "health-check-failing/memory-exhausted",
    )
    assert report.findings[0].explains == ("memory-exhausted",)


@pytest.mark.parametrize(("tier", "agent"), TIERS.items())
def test_a_small_agent_is_a_risk_until_it_is_killed(world: World, tier: str, agent: str) -> None:
    key = f"memory-pressure/{tier}-undersized"
    shrink(world, agent)
    report = assert_root(world, key, Verdict.WARN)
    assert operations(report) == ["ecs:RegisterTaskDefinition"]
    reason = {"issue": "memory-pressure", "cause": f"{tier}-undersized", "summary": "ran out of memory"}
    world.add_job(agent=agent, exitCode=137, reason=reason)
    assert_root(world, key, Verdict.FAIL)


def test_killed_at_the_recommended_size_asks_for_the_next_one(world: World) -> None:
    reason = {"issue": "memory-pressure", "cause": "flagship-undersized", "summary": "ran out of memory"}
    world.add_job(agent="claude", exitCode=137, reason=reason)
    report = assert_root(world, "memory-pressure/flagship-undersized", Verdict.WARN)
    plan = report.findings[0].plan
    assert plan is not None
    assert plan.actions[0].call.parameters["memory"] == "9216"


def test_a_stop_that_took_too_long_is_not_memory(world: World) -> None:
    world.add_job(agent="claude", exitCode=137, stoppedEvidence={"stopCode": "UserInitiated"})
    assert judged(world, "memory-pressure/flagship-undersized").judgement.verdict is Verdict.OK


@pytest.mark.parametrize(("percent", "verdict"), [(89.0, Verdict.WARN), (90.0, Verdict.FAIL)])
def test_a_small_control_plane_fails_when_its_memory_is_used_up(
    world: World, percent: float, verdict: Verdict
) -> None:
    """From what the alarm calls pressure on, also when nothing was killed yet."""
    world.definitions[world.service["taskDefinition"]]["memory"] = "1024"
    world.series["memory"] = [40.0, percent]
    judgement = judged(world, "memory-pressure/control-plane-undersized").judgement
    assert judgement.verdict is verdict
