"""Control plane not starting: the exit code tells, and old or replaced tasks do not count."""

import pytest

from runbooks.model import Verdict
from tests.runbooks.judging import assert_root, judged
from tests.runbooks.world import NOW, World, task

ISSUE = "control-plane-not-starting"
OOM = {"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}


@pytest.fixture
def failing(world: World) -> World:
    """A deployment that does not come up, beside the one before it, which runs."""
    wanted = world.service["taskDefinition"]
    world.service["deployments"] = [
        {"id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": "IN_PROGRESS", "taskDefinition": wanted},
        {"id": "ecs-svc/1", "status": "ACTIVE", "runningCount": 1, "taskDefinition": "earlier"},
    ]
    return world


def _ends(world: World, **how: object) -> None:
    world.stopped = [task("t0", "STOPPED", world.service["taskDefinition"], lived=1, **how)]


def test_exit_1_shows_the_end_of_the_trace_and_rolls_back(failing: World) -> None:
    _ends(failing, exitCode=1)
    failing.log["/ecs/outpost-control-plane"] = ["Traceback (most recent call last):\nKeyError: 'x'"]
    report = assert_root(failing, f"{ISSUE}/application-error", Verdict.FAIL)
    assert "KeyError: 'x'" in report.findings[0].judgement.summary
    plan = report.findings[0].plan
    assert plan is not None
    assert plan.actions[0].call.parameters["taskDefinition"] == "earlier"


def test_137_while_starting(failing: World) -> None:
    _ends(failing, **OOM)
    assert_root(failing, f"{ISSUE}/out-of-memory", Verdict.FAIL)


def test_137_that_nothing_explains_is_told_apart(failing: World) -> None:
    _ends(failing, exitCode=137)
    report = assert_root(failing, f"{ISSUE}/out-of-memory", Verdict.WARN)
    assert "nothing says that memory was the reason" in report.findings[0].judgement.summary


def test_139(failing: World) -> None:
    _ends(failing, exitCode=139)
    assert_root(failing, f"{ISSUE}/segmentation-fault", Verdict.FAIL)


def test_what_a_steady_deployment_replaced_is_history(world: World) -> None:
    """It ended before the tasks of now started."""
    world.running[0]["startedAt"] = NOW
    world.stopped = [task("t0", "STOPPED", world.service["taskDefinition"], lived=1, exitCode=1)]
    assert judged(world, f"{ISSUE}/application-error").judgement.verdict is Verdict.OK


def test_a_deployment_that_ecs_rolled_back_is_a_warning(world: World) -> None:
    newer = world.service["taskDefinition"].replace(":7", ":8")
    world.running[0]["startedAt"] = NOW
    world.stopped = [task("t0", "STOPPED", newer, lived=1, exitCode=1)]
    world.service["events"] = [
        {"createdAt": NOW, "message": "(service x) rolling back to deployment ecs-svc/1."}
    ]
    report = assert_root(world, f"{ISSUE}/application-error", Verdict.WARN)
    assert "rolled outpost-control-plane:8 back" in report.findings[0].judgement.summary


def test_scaled_to_nothing(world: World) -> None:
    world.service |= {"desiredCount": 0, "runningCount": 0}
    world.running = []
    report = assert_root(world, f"{ISSUE}/terminated", Verdict.FAIL)
    plan = report.findings[0].plan
    assert plan is not None
    assert plan.actions[0].call.parameters["desiredCount"] == 1


def test_who_stopped_the_tasks_is_told_and_a_steady_state_is_no_evidence_against_itself(world: World) -> None:
    world.service |= {"desiredCount": 0, "runningCount": 0}
    said = ["(service s) has reached a steady state.", "(service s) has stopped 1 running tasks: (task t)."]
    world.service["events"] = [{"createdAt": NOW, "message": message} for message in said]
    evidence = judged(world, f"{ISSUE}/terminated").judgement.evidence
    assert [each.saw for each in evidence if each.resource == "events"] == said[1:]


def test_a_normal_shutdown_is_no_finding(world: World) -> None:
    _ends(world, exitCode=143, stoppedReason="Scaling activity initiated by (deployment ecs-svc/1)")
    assert judged(world, f"{ISSUE}/terminated").judgement.verdict is Verdict.OK


def test_a_task_of_a_replaced_revision_may_fail_while_the_new_one_runs_already(world: World) -> None:
    family, _, revision = world.service["taskDefinition"].rpartition(":")
    world.stopped = [task("t0", "STOPPED", f"{family}:{int(revision) - 1}", lived=1, **OOM)]
    assert judged(world, f"{ISSUE}/out-of-memory").judgement.verdict is Verdict.OK


def test_a_task_of_the_present_revision_that_failed_after_the_start_counts(world: World) -> None:
    _ends(world, **OOM)
    assert judged(world, f"{ISSUE}/out-of-memory").judgement.verdict is Verdict.WARN
