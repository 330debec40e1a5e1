"""What agents did: by the reason on the job, or by the log where the record has none."""

import json

import pytest

from outpost.agents import Agent
from outpost.names import agent_secret, log_group
from runbooks.model import Verdict
from tests.runbooks.judging import assert_root, judged, operations
from tests.runbooks.world import World

FAST = "agent-fails-immediately"
EMPTY = {"files": 0, "insertions": 0, "deletions": 0}
CAUSES = ("model-not-found", "repository-not-found", "permission-denied")
INFERRED = ("task-too-complex", "no-progress-loop")
PROVEN = ("model-rate-limited", "network-unreachable")
UNCHANGED = ("task-misunderstood", "wrong-branch", "file-not-found", "read-only-mode")


def _reason(issue: str, cause: str) -> dict[str, str]:
    return {"code": cause, "issue": issue, "cause": cause, "summary": "so it was"}


@pytest.mark.parametrize("cause", CAUSES)
def test_failed_at_once(world: World, cause: str) -> None:
    world.add_job(reason=_reason(FAST, cause), model="m", repository="r")
    finding = assert_root(world, f"{FAST}/{cause}", Verdict.FAIL).findings[0]
    assert "asked for model m, repository r" in finding.judgement.evidence[0].saw


@pytest.mark.parametrize("cause", INFERRED)
def test_inferred_causes_are_warnings_that_say_so(world: World, cause: str) -> None:
    world.add_job("TIMEOUT", reason=_reason("agent-timeout", cause), timeoutSeconds=45)
    finding = assert_root(world, f"agent-timeout/{cause}", Verdict.WARN).findings[0]
    assert "inferred" in finding.judgement.summary
    assert "TIMEOUT after 45 s" in finding.judgement.evidence[0].saw
    assert not finding.judgement.direct


@pytest.mark.parametrize("cause", PROVEN)
def test_proven_causes_of_a_timeout(world: World, cause: str) -> None:
    world.add_job("TIMEOUT", reason=_reason("agent-timeout", cause))
    assert_root(world, f"agent-timeout/{cause}", Verdict.FAIL)


@pytest.mark.parametrize("cause", UNCHANGED)
def test_no_changes(world: World, cause: str) -> None:
    world.add_job("COMPLETED", reason=_reason("agent-no-changes", cause), changes=EMPTY)
    assert_root(world, f"agent-no-changes/{cause}", Verdict.WARN)


def test_the_log_tells_where_the_record_does_not(world: World) -> None:
    line = {
        "stream": "agent",
        "message": "error: There's an issue with the selected model (x). It may not exist",
    }
    world.log[log_group(Agent.CLAUDE)] = [json.dumps(line)]
    world.add_job(exitCode=1, taskArn="arn:aws:ecs:us-east-1:1:task/outpost-dev/t1")
    finding = assert_root(world, f"{FAST}/model-not-found", Verdict.FAIL).findings[0]
    assert "selected model" in finding.judgement.summary


def test_a_later_success_of_the_same_agent_is_the_end_of_it(world: World) -> None:
    world.add_job(reason=_reason(FAST, "model-not-found"))
    world.add_job("COMPLETED", agent="codex")
    assert judged(world, f"{FAST}/model-not-found").judgement.verdict is Verdict.FAIL
    world.add_job("COMPLETED")
    assert judged(world, f"{FAST}/model-not-found").judgement.verdict is Verdict.OK


def test_a_key_that_was_never_set_is_a_warning_until_a_dispatch_failed_of_it(world: World) -> None:
    world.secrets[agent_secret(Agent.CLAUDE)]["SecretVersionsToStages"] = {}
    assert_root(world, f"{FAST}/api-key-missing", Verdict.WARN)
    world.add_job(reason=_reason(FAST, "api-key-missing"))
    assert_root(world, f"{FAST}/api-key-missing", Verdict.FAIL)


def test_a_key_that_is_not_given_to_the_task_is_wired(world: World) -> None:
    world.definitions["outpost-grok"]["containerDefinitions"][0]["secrets"] = []
    finding = assert_root(world, f"{FAST}/api-key-missing", Verdict.FAIL).findings[0]
    assert finding.plan is not None
    container = finding.plan.actions[0].call.parameters["containerDefinitions"][0]
    assert container["secrets"][0]["name"] == "XAI_API_KEY"


def test_a_loop_that_the_cli_stopped_by_itself_ends_well_and_changes_nothing(world: World) -> None:
    line = {"stream": "agent", "message": "warning: Loop detected, stopping execution"}
    world.log[log_group(Agent.GEMINI)] = [json.dumps(line)]
    task = "arn:aws:ecs:us-east-1:1:task/outpost-dev/t1"
    world.add_job("COMPLETED", agent="gemini", changes=EMPTY, taskArn=task)
    assert_root(world, "agent-timeout/no-progress-loop", Verdict.WARN)


def test_a_later_change_of_the_same_agent_is_the_end_of_it(world: World) -> None:
    world.add_job("COMPLETED", reason=_reason("agent-no-changes", "file-not-found"), changes=EMPTY)
    world.add_job("COMPLETED", agent="codex", changes={"files": 1})
    assert judged(world, "agent-no-changes/file-not-found").judgement.verdict is Verdict.WARN
    world.add_job("COMPLETED", changes={"files": 1})
    assert judged(world, "agent-no-changes/file-not-found").judgement.verdict is Verdict.OK


def test_a_secret_that_is_being_deleted_is_restored(world: World) -> None:
    world.secrets[agent_secret(Agent.CLAUDE)]["DeletedDate"] = "2026-01-14"
    report = assert_root(world, f"{FAST}/api-key-missing", Verdict.FAIL)
    assert operations(report) == ["secretsmanager:RestoreSecret"]
