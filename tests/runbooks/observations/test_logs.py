"""Logs: the newest lines are never lost among many, and a log that was read in part proves nothing absent."""

import json

import pytest

from outpost.agents import Agent
from outpost.names import log_group
from runbooks.looking import CouldNotLook
from runbooks.model import Verdict
from runbooks.observations import logs
from tests.runbooks.judging import judged, log
from tests.runbooks.world import World


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can reach."""
    monkeypatch.setattr(logs, "LINES", 100)


def test_the_newest_line_is_seen_among_many(world: World) -> None:
    for second in range(500):
        log(world, "dispatch-ended", late=second)
    log(world, "scope-missing", scope="status", apiKeyId="k9", late=600)
    assert len(world.region().logs.events("scope-missing")) == 1


def test_the_oldest_is_seen_too(world: World) -> None:
    log(world, "scope-missing", scope="status", apiKeyId="k9")
    for second in range(500):
        log(world, "dispatch-ended", late=1 + second)
    assert len(world.region().logs.events("scope-missing")) == 1


def test_nothing_in_a_log_that_was_read_in_part_is_unknown_and_not_ok(world: World) -> None:
    for second in range(500):
        log(world, "dispatch-ended", late=second)
    assert judged(world, "unauthorized/wrong-header").judgement.verdict is Verdict.UNKNOWN
    with pytest.raises(CouldNotLook, match="more than 100 lines"):
        world.region().logs.events("auth-refused")


def test_each_line_is_told_once(world: World) -> None:
    for second in range(150):
        log(world, "rate-limited", late=second)
    lines = world.region().logs.control_plane()
    assert len({line.time for line in lines}) == len(lines)


def test_why_a_talkative_agent_failed_is_at_the_end_of_its_log(world: World) -> None:
    """The first lines of such a log say nothing of its end."""
    said = [f"tool Edit: file {number}" for number in range(3_000)]
    said.append("error: There's an issue with the selected model (x). It may not exist")
    world.log[log_group(Agent.CLAUDE)] = [
        json.dumps({"stream": "agent", "message": text, "late": number / 100})
        for number, text in enumerate(said)
    ]
    world.add_job(exitCode=1, taskArn="arn:aws:ecs:us-east-1:1:task/outpost-dev/t1")
    assert judged(world, "agent-fails-immediately/model-not-found").judgement.verdict is Verdict.FAIL
