"""Narrowing: what is wrong with a name that names nothing, and what was meant."""

import json
from datetime import timedelta

import jsonschema
import pytest

from outpost.errors import OutpostError
from runbooks.alarms import alarm_name, detected
from runbooks.looking import CouldNotLook
from runbooks.narrowing import OF_A_DISPATCH, selected
from runbooks.report import document, html, schema, terminal
from runbooks.run import Report, diagnose
from tests.runbooks.world import FILES, NOW, World, target, task

EFS = "efs-mount-failure"
UNKNOWN = "01HXYZ00000000000000000000"


def issues(**narrowed: str) -> set[str]:
    return {cause.issue for cause in selected("dev", **narrowed)}


def refused(**narrowed: str) -> str:
    """What the reader is told."""
    with pytest.raises(OutpostError) as caught:
        selected("dev", **narrowed)
    return str(caught.value)


def test_an_issue() -> None:
    assert issues(issue=EFS) == {EFS}
    assert len(issues()) == 16


@pytest.mark.parametrize(
    "alarm",
    [
        "outpost-dev-efs-mount-failure",
        "Outpost-Dev-EFS-Mount-Failure",
        " outpost-dev-efs-mount-failure\n",
        "arn:aws:cloudwatch:us-east-1:123456789012:alarm:outpost-dev-efs-mount-failure",
        "arn:aws:events:us-east-1:123456789012:rule/outpost-dev-efs-mount-failure",
        EFS,
    ],
)
def test_an_alarm_as_aws_shows_it(alarm: str) -> None:
    assert issues(alarm=alarm) == {EFS}


def test_every_alarm_of_a_stack_leads_to_its_issue() -> None:
    """Also those of the dead-letter queues, and in a stack whose name has a hyphen."""
    for stack in ("dev", "my-stack"):
        for name, issue in detected().items():
            assert {c.issue for c in selected(stack, alarm=alarm_name(stack, name))} == {issue}
    assert issues(alarm="outpost-dev-launch-dead-letters") == {"dispatch-stuck-pending"}


def test_an_alarm_that_does_not_exist_is_told_with_all_that_do() -> None:
    told = refused(alarm="nonsense")
    assert told.startswith("There is no alarm 'nonsense' in stack dev.")
    for name in detected():
        assert f"\n  outpost-dev-{name}" in told
    assert "mcp-not-connecting" not in told  # which has none


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("efs", "outpost-dev-efs-mount-failure"),
        ("outpost-dev-efs", "outpost-dev-efs-mount-failure"),
        ("outpost-dev-efs-mount-falure", "outpost-dev-efs-mount-failure"),
        ("dead-letters", "outpost-dev-launch-dead-letters or outpost-dev-event-dead-letters"),
    ],
)
def test_part_of_a_name_or_a_mistyped_one_is_answered_with_what_was_meant(given: str, meant: str) -> None:
    assert refused(alarm=given).endswith(f"Did you mean {meant}?")


def test_an_alarm_of_another_stack_is_told_so() -> None:
    told = refused(alarm="outpost-prod-efs-mount-failure")
    assert "is an alarm of stack prod, and this run looks at dev" in told
    assert "--stack prod" in told


def test_the_issue_that_no_alarm_of_the_stack_can_see() -> None:
    assert "--issue mcp-not-connecting" in refused(alarm="outpost-dev-mcp-not-connecting")


def test_an_issue_that_does_not_exist() -> None:
    assert refused(issue="efs-mount").endswith("Did you mean efs-mount-failure?")
    assert "\n  slow-responses" in refused(issue="qqq")


@pytest.mark.parametrize("given", ["nfs-blocked", "efs-mount-failure/nfs-blocked"])
def test_a_cause_given_as_an_issue_is_told_so(given: str) -> None:
    assert refused(issue=given).endswith("--issue efs-mount-failure")


def test_flags_that_contradict_each_other() -> None:
    assert issues(issue=EFS, alarm="outpost-dev-efs-mount-failure") == {EFS}
    assert "detects efs-mount-failure" in refused(issue="forbidden", alarm="outpost-dev-efs-mount-failure")
    assert "nothing that a single dispatch can have" in refused(issue="slow-responses", dispatch=UNKNOWN)


def about(world: World, dispatch: str, **narrowed: str) -> Report:
    return diagnose(target(), world, dispatch=dispatch, **narrowed)


def test_a_dispatch_is_told_with_its_tenant_and_what_became_of_it(world: World) -> None:
    identity = world.add_job("COMPLETED", tenantId="acme", changes={"files": 3})
    report = about(world, identity.lower())
    assert report.subject is not None
    assert report.subject.story == (
        f"dispatch {identity} of tenant acme: claude COMPLETED, 3 file(s) changed, accepted 2 minutes ago"
    )
    assert (report.verdict, report.subject.tenant) == ("healthy", "acme")
    assert {item.cause.issue for item in report.judged} == set(OF_A_DISPATCH)


@pytest.mark.parametrize("status", ["FAILED", "TIMEOUT"])
def test_a_failure_that_nothing_explains_is_not_healthy(world: World, status: str) -> None:
    identity = world.add_job(
        status, exitCode=5, reason={"code": "agent-failed", "summary": "It ended with 5."}
    )
    report = about(world, identity)
    assert (report.verdict, report.exit_code) == ("unknown", 5)
    assert report.unexplained.endswith("none of the guide's causes: It ended with 5")


def test_what_nothing_explains_is_given_with_the_end_of_its_log(world: World) -> None:
    lines = [json.dumps({"stream": "agent", "message": f"line {number}"}) for number in range(9)]
    world.log["/ecs/outpost-claude"] = lines
    identity = world.add_job(exitCode=5, taskArn="arn:aws:ecs:us-east-1:1:task/outpost-dev/t1")
    report = about(world, identity)
    assert report.subject is not None
    said = [step.text for step in report.subject.life if step.text.startswith("it said last")]
    assert said == [f"it said last: line {number}" for number in range(4, 9)]


def test_a_fault_elsewhere_does_not_explain_a_dispatch(world: World) -> None:
    identity = world.add_job(exitCode=5, reason={"code": "agent-failed", "summary": "It ended with 5."})
    world.definitions["outpost-grok"]["memory"] = "1024"
    assert about(world, identity).exit_code == 5


def test_a_dispatch_that_waits_for_long_without_a_reason_is_not_healthy(world: World) -> None:
    identity = world.add_job("PENDING")
    assert about(world, identity).verdict == "healthy"  # for two minutes
    world.jobs[0]["createdAt"] = {"S": "2026-01-14T11:48:00+00:00"}
    report = about(world, identity)
    assert "is PENDING for 12 minutes" in report.unexplained
    assert report.exit_code == 5


def test_what_is_mended_since_is_said_of_the_dispatch_that_failed_for_it(world: World) -> None:
    reason = {"issue": EFS, "cause": "nfs-blocked", "summary": "The file system did not answer."}
    identity = world.add_job(reason=reason)
    report = about(world, identity)
    assert report.subject is not None
    assert report.subject.story.endswith("(put down to efs-mount-failure/nfs-blocked, now OK)")
    assert report.verdict == "healthy"
    world.groups[FILES]["IpPermissions"] = []
    assert about(world, identity).verdict == "failing"


def not_found(world: World, dispatch: str) -> str:
    with pytest.raises(OutpostError) as caught:
        about(world, dispatch)
    return str(caught.value)


def test_an_unknown_dispatch(world: World) -> None:
    assert f"There is no dispatch {UNKNOWN} of any tenant in stack dev." in not_found(world, UNKNOWN)


def test_part_of_an_id_is_answered_with_the_ids_that_have_it(world: World) -> None:
    identity = world.add_job()
    told = not_found(world, identity[:15])
    assert "is not the id of a dispatch: those have 26 characters" in told
    assert f"Of the last 60 minutes, these are like it: {identity}" in told


def test_a_mistyped_id_is_answered_with_what_it_is_like(world: World) -> None:
    identity = world.add_job()
    assert identity in not_found(world, identity[:-1] + "Z")


def test_a_jobs_table_that_cannot_be_read_is_no_unknown_dispatch(world: World) -> None:
    world.failing["dynamodb:Query"] = CouldNotLook("dynamodb:Query", "denied", permission="dynamodb:Query")
    report = about(world, UNKNOWN)
    assert report.exit_code == 5
    assert any("dynamodb:Query" in f.judgement.summary for f in report.findings)


def test_the_life_of_a_dispatch_is_told_from_its_record(world: World) -> None:
    """All of it is in the one item that was read anyway."""
    identity = world.add_job(
        "COMPLETED",
        apiKeyId="k1",
        repository="acme/site",
        timeoutSeconds=600,
        deferrals=2,
        waitingReason={"code": "capacity-unavailable", "summary": "AWS has no capacity."},
        attempt=2,
        startFailures=1,
        attemptAt=NOW.timestamp() - 100,
        startedAt=(NOW - timedelta(seconds=97)).isoformat(),
        endedAt=(NOW - timedelta(seconds=10)).isoformat(),
        exitCode=0,
        changes={"files": 1},
        taskArn="arn:aws:ecs:us-east-1:1:task/outpost-dev/t1",
    )
    queries = world.calls["dynamodb:Query"]
    report = about(world, identity)
    assert world.calls["dynamodb:Query"] == queries + 1
    assert report.subject is not None
    assert [(step.at and f"{step.at:%H:%M:%S}", step.text) for step in report.subject.life] == [
        ("11:58:00", "accepted with key k1: agent claude, repository acme/site, timeoutSeconds 600"),
        (None, "its launch was put off 2 time(s): AWS has no capacity."),
        (None, "1 task(s) of it never started"),
        ("11:58:20", "launched: attempt 2, task t1"),
        ("11:58:23", "running, 23.0 s after it was accepted"),
        ("11:59:50", "COMPLETED after 87.0 s, exit code 0, 1 file(s) changed"),
        (None, "log /ecs/outpost-claude, stream worker/worker/t1"),
    ]
    text = terminal.render(report, terminal.Style())
    assert "   11:58:20  launched: attempt 2, task t1" in text
    printed = json.loads(document.render(report))
    jsonschema.validate(printed, schema.SCHEMA)
    assert printed["dispatch"]["life"][3]["text"] == "launched: attempt 2, task t1"
    assert "launched: attempt 2, task t1" in html.render(report)


def test_an_alarm_leads_to_the_root_also_where_that_is_another_issues(world: World) -> None:
    """And to nothing else that is wrong: a run that is narrowed stays so."""
    world.environment["JOBS_TABLE"] = ""
    world.put_control_plane(7)
    world.running, world.service["runningCount"] = [], 0
    world.stopped = [task("dead", "STOPPED", world.service["taskDefinition"], exitCode=1, lived=1)]
    world.idle_timeout = "300"
    report = diagnose(target(), world, alarm="outpost-dev-control-plane-not-starting")
    assert [finding.cause.key for finding in report.findings] == ["health-check-failing/missing-environment"]
    assert report.findings[0].explains == ("application-error",)
    healthy = diagnose(target(), World(), alarm="outpost-dev-control-plane-not-starting")
    assert {item.cause.issue for item in healthy.judged} == {"control-plane-not-starting"}
