"""A run: healthy is silent, blind is never healthy, each read is made once."""

from collections.abc import Callable

import pytest

from runbooks.catalogue import causes
from runbooks.looking import Answer, CouldNotLook
from runbooks.model import Verdict
from runbooks.run import diagnose
from tests.runbooks.world import World, target, target_health

Read = Callable[[str, Answer], Answer]


def test_healthy_stack_has_no_finding(world: World) -> None:
    report = diagnose(target(), world)
    assert [(f.cause.key, f.judgement.summary) for f in report.findings] == []
    assert (report.verdict, report.exit_code) == ("healthy", 0)
    assert len(report.judged) == len(causes())


def test_every_read_is_made_once(world: World) -> None:
    seen: list[tuple[str, str]] = []
    read = world.read

    def recording(operation: str, parameters: dict[str, object]) -> dict[str, object]:
        seen.append((operation, repr(sorted(parameters.items(), key=str))))
        return read(operation, parameters)

    world.read = recording  # type: ignore[method-assign]
    diagnose(target(), world)
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("reason", ["denied", "throttled", "timed out", "unreachable", "failed"])
def test_a_failed_look_is_unknown_and_never_ok(world: World, reason: str) -> None:
    operations = {key for key in _operations_of(world) if key != "sts:GetCallerIdentity"}
    for operation in sorted(operations):
        blind = World()
        blind.failing[operation] = CouldNotLook(
            operation, reason, permission="p" if reason == "denied" else ""
        )
        report = diagnose(target(), blind)
        unknown = [f for f in report.findings if f.verdict is Verdict.UNKNOWN]
        assert unknown, operation
        assert report.exit_code == 5, operation
        assert all(operation in f.judgement.summary for f in unknown), operation


# What an empty answer says of a healthy stack: nothing was written, measured, dispatched, set or configured.
MAY_BE_EMPTY = {
    "application-autoscaling:DescribeScalableTargets",
    "client:Configuration",
    "client:Environment",
    "cloudwatch:GetMetricData",
    "dynamodb:Query",
    "dynamodb:Scan",
    "ecs:ListTasks",  # of stopped tasks; how many run, the service says
    "iam:ListAttachedRolePolicies",
    "logs:FilterLogEvents",
    "s3:GetBucketPolicy",
    "sts:GetCallerIdentity",
}


def test_an_empty_answer_is_healthy_only_where_there_may_be_nothing(world: World) -> None:
    for operation in sorted(_operations_of(world) - MAY_BE_EMPTY):
        empty = World()
        read = empty.read

        def answered(asked: str, parameters: Answer, operation: str = operation, read: Read = read) -> Answer:
            answer = read(asked, parameters)
            return {name: type(value)() for name, value in answer.items()} if asked == operation else answer

        empty.read = answered  # type: ignore[method-assign]
        assert diagnose(target(), empty).exit_code in (3, 5), operation


def test_a_control_plane_that_runs_and_that_no_target_is_healthy_of_is_not_healthy(world: World) -> None:
    """Such as one that hangs: nothing of its configuration is wrong."""
    world.target_health = [target_health("unhealthy", "Request timed out")]
    report = diagnose(target(), world, alarm="outpost-dev-health-check-failing")
    assert report.exit_code == 5
    assert "no target is healthy: unhealthy: Request timed out" in report.findings[0].judgement.summary
    world.target_health.append(target_health("healthy"))
    assert diagnose(target(), world).verdict == "healthy"


def test_without_credentials_nothing_is_asked_twice(world: World) -> None:
    world.failing["sts:GetCallerIdentity"] = CouldNotLook("sts:GetCallerIdentity", "unreachable", "no route")
    report = diagnose(target(), world)
    assert (report.verdict, report.exit_code) == ("unknown", 5)
    assert report.calls == {"sts:GetCallerIdentity": 1}
    assert "no route" in report.trouble


def test_a_defect_in_a_check_is_unknown(world: World) -> None:
    del world.service["deployments"][0]["status"]
    world.service["networkConfiguration"] = None
    world.environment["WORKER_SUBNETS"] = ""
    world.put_control_plane(7)
    report = diagnose(target(), world)
    broken = [f for f in report.findings if "the check itself failed" in f.judgement.summary]
    assert broken
    assert all(f.verdict is Verdict.UNKNOWN for f in broken)


def _operations_of(world: World) -> set[str]:
    diagnose(target(), world)
    return set(world.calls)
