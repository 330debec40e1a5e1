"""A revision that ECS rolled back: the specific cause is the root, a warning, and for a person to mend."""

from typing import Any

import pytest

from runbooks.model import Verdict
from tests.runbooks.judging import assert_root
from tests.runbooks.world import NOW, World, arn, task

TRIED = arn("ecs", "task-definition/outpost-control-plane:8")
NOT_STARTING, UNHEALTHY = "control-plane-not-starting", "health-check-failing"
CRASH = {"exitCode": 1, "lived": 1}
KILLED = {"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage", "lived": 3}
STOPPED = {
    "exitCode": 143,
    "stopCode": "ServiceSchedulerInitiated",
    "stoppedReason": "Task failed ELB health checks",
}
UNPULLED = {"stopCode": "TaskFailedToStart", "stoppedReason": "CannotPullContainerError: no such image"}


def rolled_back(world: World, *, ends: dict[str, Any], environment: dict[str, str], **changes: Any) -> None:
    """Revision 8 was deployed, failed three times, and 7 runs again."""
    kept = dict(world.environment)
    world.environment |= environment
    world.put_control_plane(8, **changes)
    world.environment = kept
    world.service["deployments"] = [{"id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": "COMPLETED"}]
    message = "(service outpost-control-plane) rolling back to deployment ecs-svc/2."
    world.service["events"] = [{"createdAt": NOW, "message": message}]
    world.stopped = [task(f"dead{n}", "STOPPED", TRIED, **ends) for n in range(3)]


@pytest.mark.parametrize(
    ("key", "fault", "effects"),
    [
        (
            f"{UNHEALTHY}/missing-environment",
            {"ends": CRASH, "environment": {"S3_ARTIFACTS_BUCKET": ""}},
            {f"{NOT_STARTING}/application-error"},
        ),
        (
            f"{UNHEALTHY}/port-mismatch",
            {"ends": STOPPED, "environment": {"PORT": "9090"}},
            set(),
        ),
        (
            f"{UNHEALTHY}/dynamodb-unreachable",
            {"ends": CRASH, "environment": {"JOBS_TABLE": "outpost-jobs-elsewhere"}},
            {f"{NOT_STARTING}/application-error"},
        ),
        (
            f"{UNHEALTHY}/dynamodb-unreachable",
            {"ends": CRASH, "environment": {}, "taskRoleArn": ""},
            {f"{NOT_STARTING}/application-error"},
        ),
        (
            "memory-pressure/control-plane-undersized",
            {"ends": KILLED, "environment": {}, "memory": "512"},
            {f"{NOT_STARTING}/out-of-memory"},
        ),
        (f"{NOT_STARTING}/application-error", {"ends": CRASH, "environment": {}}, set()),
        (f"{NOT_STARTING}/application-error", {"ends": UNPULLED, "environment": {}}, set()),
        (f"{NOT_STARTING}/segmentation-fault", {"ends": CRASH | {"exitCode": 139}, "environment": {}}, set()),
        (f"{NOT_STARTING}/out-of-memory", {"ends": KILLED, "environment": {}}, set()),
    ],
)
def test_the_specific_cause_is_the_root(
    world: World, key: str, fault: dict[str, Any], effects: set[str]
) -> None:
    rolled_back(world, **fault)
    report = assert_root(world, key, Verdict.WARN, *effects)
    finding = report.findings[0]
    assert {cause.key for cause in finding.effects} == effects
    assert "outpost-control-plane:8" in finding.judgement.summary
    assert "outpost-control-plane:7 runs" in finding.judgement.summary
    assert finding.plan is None  # nothing that runs is to be changed


def test_it_says_that_the_next_deployment_fails_again_and_what_to_run(world: World) -> None:
    rolled_back(world, ends=CRASH, environment={"S3_ARTIFACTS_BUCKET": ""})
    judgement = (
        assert_root(
            world, f"{UNHEALTHY}/missing-environment", Verdict.WARN, f"{NOT_STARTING}/application-error"
        )
        .findings[0]
        .judgement
    )
    assert "S3_ARTIFACTS_BUCKET missing from outpost-control-plane:8" in judgement.summary
    assert "the next deployment fails again" in judgement.summary
    assert judgement.commands == ("./inv deploy --preview",)


def test_tasks_that_ended_alike_are_counted_and_not_listed(world: World) -> None:
    rolled_back(world, ends=CRASH, environment={})
    evidence = (
        assert_root(world, f"{NOT_STARTING}/application-error", Verdict.WARN).findings[0].judgement.evidence
    )
    ends = [(e.resource, e.saw) for e in evidence if e.source == "ecs:DescribeTasks"]
    assert ends == [
        ("task dead0, and 2 more alike", "exit 1 in 1 s at most: Essential container in task exited")
    ]


def test_an_image_that_cannot_be_pulled_is_told_while_nothing_runs(world: World) -> None:
    """Such tasks have no exit code."""
    world.running, world.service["runningCount"] = [], 0
    world.stopped = [task("dead", "STOPPED", world.service["taskDefinition"], **UNPULLED)]
    report = assert_root(world, f"{NOT_STARTING}/application-error", Verdict.FAIL)
    assert "CannotPullContainerError" in report.findings[0].judgement.summary


def test_while_it_is_being_rolled_back_the_root_is_the_same_and_a_failure(world: World) -> None:
    """The tasks of before are not all back yet; and nothing may move the service once more."""
    rolled_back(world, ends=CRASH, environment={"S3_ARTIFACTS_BUCKET": ""})
    world.service["deployments"][0]["rolloutState"] = "IN_PROGRESS"
    earlier = {"id": "ecs-svc/0", "status": "ACTIVE", "runningCount": 1, "taskDefinition": TRIED}
    world.service["deployments"].append(earlier)
    key, effect = f"{UNHEALTHY}/missing-environment", f"{NOT_STARTING}/application-error"
    report = assert_root(world, key, Verdict.FAIL, effect)
    assert [item.plan for item in report.judged if item.judgement.lit] == [None, None]
