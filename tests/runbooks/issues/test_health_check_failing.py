"""Health check failing: each cause by what AWS would describe, and what looks like it and is not."""

import json

import pytest

from runbooks.model import Verdict
from tests.runbooks.judging import assert_root, judged, operations
from tests.runbooks.world import NAMES, World, allow, task

ISSUE = "health-check-failing"


def test_a_missing_setting_is_restored_from_the_revision_that_had_it(world: World) -> None:
    world.put_control_plane(6)
    world.environment["LAUNCH_QUEUE_URL"] = " "
    world.put_control_plane(7)
    report = assert_root(world, f"{ISSUE}/missing-environment", Verdict.FAIL)
    assert operations(report) == ["ecs:RegisterTaskDefinition", "ecs:UpdateService"]
    plan = report.findings[0].plan
    assert plan is not None
    container = plan.actions[0].call.parameters["containerDefinitions"][0]
    assert {"name": "LAUNCH_QUEUE_URL", "value": "x"} in container["environment"]


def test_a_setting_that_no_revision_had_needs_a_person(world: World) -> None:
    del world.environment["LAUNCH_QUEUE_URL"]
    world.put_control_plane(7)
    report = assert_root(world, f"{ISSUE}/missing-environment", Verdict.FAIL)
    assert report.findings[0].plan is None


def test_a_secret_that_is_not_wired_is_missing(world: World) -> None:
    world.change_container(secrets=[])
    finding = assert_root(world, f"{ISSUE}/missing-environment", Verdict.FAIL).findings[0]
    assert "WORKER_TOKEN_KEY" in finding.judgement.summary


def test_killed_for_memory_while_it_served(world: World) -> None:
    killed = {"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}
    world.stopped = [task("t0", "STOPPED", world.service["taskDefinition"], lived=600, **killed)]
    report = assert_root(world, f"{ISSUE}/memory-exhausted", Verdict.FAIL)
    plan = report.findings[0].plan
    assert plan is not None
    assert plan.actions[0].call.parameters["memory"] == "3072"


def test_137_of_a_stop_that_took_too_long_is_not_memory(world: World) -> None:
    slow = {"exitCode": 137, "stoppedReason": "Scaling activity initiated by (deployment ecs-svc/1)"}
    world.stopped = [task("t0", "STOPPED", world.service["taskDefinition"], **slow)]
    assert judged(world, f"{ISSUE}/memory-exhausted").judgement.verdict is Verdict.OK
    assert judged(world, "control-plane-not-starting/out-of-memory").judgement.verdict is Verdict.OK


def test_a_kill_with_less_memory_than_now_is_history(world: World) -> None:
    world.put_control_plane(5, memory="1024", taskDefinitionArn="old")
    killed = {"exitCode": 137, "reason": "OutOfMemoryError: killed"}
    world.stopped = [task("t0", "STOPPED", "old", lived=600, **killed)]
    assert judged(world, f"{ISSUE}/memory-exhausted").judgement.verdict is Verdict.OK


def test_another_port_than_the_load_balancer_calls(world: World) -> None:
    world.environment["PORT"] = "9090"
    world.put_control_plane(7)
    report = assert_root(world, f"{ISSUE}/port-mismatch", Verdict.FAIL)
    plan = report.findings[0].plan
    assert plan is not None
    container = plan.actions[0].call.parameters["containerDefinitions"][0]
    assert {"name": "PORT", "value": "8080"} in container["environment"]
    wrong, called = report.findings[0].judgement.evidence[:2]
    assert (wrong.saw, wrong.expected) == ("PORT=9090", "8080")
    assert (called.saw, called.expected) == ("it calls port 8080", "the PORT of the task definition")


def test_a_role_without_the_tables_gets_its_policy_back(world: World) -> None:
    world.policies["dynamodb-access"] = allow("dynamodb:GetItem", "*")
    report = assert_root(world, f"{ISSUE}/dynamodb-unreachable", Verdict.FAIL)
    plan = report.findings[0].plan
    assert plan is not None
    assert plan.actions[0].call.operation == "iam:PutRolePolicy"
    assert plan.actions[0].undo is not None


def test_a_role_without_any_policy_is_told_in_a_line_for_each_table(world: World) -> None:
    world.policies.clear()
    evidence = judged(world, f"{ISSUE}/dynamodb-unreachable").judgement.evidence
    assert [each.expected.rpartition("/")[2] for each in evidence if each.source == "iam:GetRolePolicy"] == [
        NAMES.jobs_table,
        NAMES.api_keys_table,
        NAMES.audit_table,
        NAMES.workspaces_table,
    ]
    assert "dynamodb:GetItem, dynamodb:PutItem" in evidence[0].saw


def test_an_explicit_deny_is_left_to_a_person(world: World) -> None:
    deny = {"Statement": [{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}]}
    world.policies["freeze"] = deny
    report = assert_root(world, f"{ISSUE}/dynamodb-unreachable", Verdict.FAIL)
    assert report.findings[0].plan is None


@pytest.mark.parametrize(
    "table", [NAMES.jobs_table, NAMES.api_keys_table, NAMES.audit_table, NAMES.workspaces_table]
)
def test_a_missing_table(world: World, table: str) -> None:
    """The control plane does not start without any one of them."""
    del world.tables[table]
    judgement = judged(world, f"{ISSUE}/dynamodb-unreachable").judgement
    assert judgement.verdict is Verdict.FAIL
    assert judgement.evidence[0].saw == "no such table"


@pytest.mark.parametrize(
    ("percent", "verdict"),
    [(89.0, Verdict.OK), (90.0, Verdict.WARN), (97.0, Verdict.WARN), (98.0, Verdict.FAIL)],
)
def test_memory_by_how_much_of_it_is_used(world: World, percent: float, verdict: Verdict) -> None:
    world.series["memory"] = [40.0, percent]
    assert judged(world, f"{ISSUE}/memory-exhausted").judgement.verdict is verdict


def test_health_checks_on_a_port_of_their_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    group = {"TargetGroupArn": "tg", "TargetGroupName": "tg", "Port": 8080, "HealthCheckPort": "9000"}
    monkeypatch.setattr(world, "elbv2_DescribeTargetGroups", lambda **_: {"TargetGroups": [group]})
    report = assert_root(world, f"{ISSUE}/port-mismatch", Verdict.FAIL)
    assert report.findings[0].judgement.evidence[0].saw == "health checks on 9000"


def test_a_role_that_may_not_write_the_audit_trail(world: World) -> None:
    """It is written in batches, which needs an action of its own, on that table alone."""
    actions = ["GetItem", "PutItem", "UpdateItem", "Query"]
    world.policies["dynamodb-access"] = allow([f"dynamodb:{action}" for action in actions], "*")
    report = assert_root(world, f"{ISSUE}/dynamodb-unreachable", Verdict.FAIL)
    plan = report.findings[0].plan
    assert plan is not None
    statements = json.loads(plan.actions[0].call.parameters["PolicyDocument"])["Statement"]
    trail = [s["Resource"] for s in statements if "dynamodb:BatchWriteItem" in s["Action"]]
    assert [[arn.rpartition("/")[2] for arn in resources] for resources in trail] == [[NAMES.audit_table]]
