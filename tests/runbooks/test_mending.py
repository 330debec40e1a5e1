"""Mending: the approved plan and no other, looked at again, taken back when it made things worse."""

from dataclasses import replace
from typing import Any

import pytest

from outpost.errors import OutpostError
from runbooks import definitions, remedies
from runbooks.capacity import provision
from runbooks.looking import BUSY, Answer, CouldNotLook
from runbooks.mending import mend
from runbooks.remedies import apply
from runbooks.report import terminal
from runbooks.run import Report, diagnose
from runbooks.target import Target
from tests.runbooks.world import FILES, WORKER, World, peer, target

NFS = "efs-mount-failure/nfs-blocked"


class Mendable:
    """A world that takes calls: `effects` are what each operation does to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.made: list[str] = []
        self.refused: set[str] = set()
        self.side_effect: Any = None

    @property
    def target(self) -> Target:
        return target()

    def reader(self) -> World:
        return self.world

    def call(self, operation: str, parameters: Answer) -> Answer:
        if operation in self.refused:
            raise CouldNotLook(operation, "denied", permission=operation)
        self.made.append(operation)
        rules = self.world.groups[FILES]["IpPermissions"]
        if operation == "ec2:AuthorizeSecurityGroupIngress":
            assert parameters["GroupId"] == FILES
            rules += parameters["IpPermissions"]
        if operation == "ec2:RevokeSecurityGroupIngress":
            rules.clear()
        if self.side_effect:
            self.side_effect(operation)
        if operation == "ecs:RegisterTaskDefinition":
            return {"taskDefinition": {"taskDefinitionArn": f"arn:aws:ecs:::{parameters['family']}:9"}}
        return {}

    def diagnose(self) -> Report:
        return diagnose(target(), self.world)

    def mend(self, report: Report, approved: str = "") -> tuple[list[tuple[str, str]], Report]:
        done, after = mend(self, report, approved=approved, progress=lambda line: None, again=self.diagnose)
        return [(item.cause.key, item.outcome) for item in done], after


@pytest.fixture
def stack(world: World) -> Mendable:
    """NFS is closed."""
    world.groups[FILES]["IpPermissions"] = []
    return Mendable(world)


def test_it_mends_and_looks_again(stack: Mendable) -> None:
    done, after = stack.mend(stack.diagnose())
    assert done == [(NFS, "mended")]
    assert stack.world.groups[FILES]["IpPermissions"] == [peer(2049, WORKER)]
    assert after.verdict == "healthy"


def test_only_the_approved_plan_is_applied(stack: Mendable) -> None:
    report = stack.diagnose()
    assert stack.mend(report, approved="another")[0] == []
    plan = report.findings[0].plan
    assert plan is not None
    assert stack.mend(report, approved=plan.id)[0] == [(NFS, "mended")]


def test_a_state_that_changed_is_refused(stack: Mendable) -> None:
    report = stack.diagnose()
    stack.world.groups[FILES]["IpPermissions"] = [peer(2049, WORKER)]  # somebody was faster
    done, _ = stack.mend(report)
    assert done == [(NFS, "refused")]
    assert stack.made == []


def test_the_plan_is_of_the_state(stack: Mendable) -> None:
    first = stack.diagnose().findings[0].plan
    stack.world.groups[WORKER]["IpPermissionsEgress"] = stack.world.groups[WORKER]["IpPermissionsEgress"][:2]
    second = stack.diagnose().findings[0].plan
    assert first is not None
    assert second is not None
    assert first.id != second.id


def test_what_made_it_worse_is_taken_back(stack: Mendable) -> None:
    def worse(operation: str) -> None:
        stack.world.idle_timeout = "300" if operation == "ec2:AuthorizeSecurityGroupIngress" else "60"

    stack.side_effect = worse
    done, after = stack.mend(stack.diagnose())
    assert done == [(NFS, "undone")]
    assert stack.made == ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
    assert {finding.cause.key for finding in after.findings} == {NFS}


def test_a_call_that_is_denied_is_reported(stack: Mendable) -> None:
    stack.refused.add("ec2:AuthorizeSecurityGroupIngress")
    done, after = stack.mend(stack.diagnose())
    assert done == [(NFS, "failed")]
    assert after.exit_code == 3


def test_an_undo_that_fails_does_not_hide_why_it_was_needed() -> None:
    """A table that is being changed cannot be changed back at once; and the first error is what matters."""

    class Refusing:
        def call(self, operation: str, parameters: Answer) -> Answer:
            if operation == "application-autoscaling:RegisterScalableTarget":
                raise CouldNotLook(operation, "denied", permission=operation)
            if parameters.get("BillingMode") == "PAY_PER_REQUEST":
                raise CouldNotLook(operation, "throttled", "LimitExceededException: too many switches")
            return {}

    plan = provision("outpost-jobs-dev", {}, (10.0, 10.0))
    with pytest.raises(OutpostError) as caught:
        apply(plan, Refusing())
    told = str(caught.value)
    assert told.startswith("application-autoscaling:RegisterScalableTarget was denied")
    assert "could not be taken back: dynamodb:UpdateTable throttled: LimitExceededException" in told


def test_a_call_is_tried_again_while_its_resource_is_being_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remedies, "AGAIN", 0.0)
    answers = [CouldNotLook("dynamodb:UpdateTable", BUSY), CouldNotLook("dynamodb:UpdateTable", BUSY), None]

    class Busy:
        def call(self, operation: str, parameters: Answer) -> Answer:
            answer = answers.pop(0) if operation == "dynamodb:UpdateTable" else None
            if answer:
                raise answer
            return {}

    assert len(apply(provision("outpost-jobs-dev", {}, (10.0, 10.0)), Busy())) == 5
    assert answers == []


def test_a_look_that_fails_while_a_change_settles_is_no_crash(stack: Mendable) -> None:
    report = stack.diagnose()

    def blind(operation: str) -> None:
        stack.world.failing["ec2:DescribeSecurityGroups"] = CouldNotLook(
            "ec2:DescribeSecurityGroups", "throttled"
        )

    stack.side_effect = blind
    monkeyed = replace(report.findings[0].plan, settle=0)  # type: ignore[type-var]
    done, after = stack.mend(replace(report, findings=(replace(report.findings[0], plan=monkeyed),)))
    assert done == [(NFS, "not mended")]
    assert after.exit_code == 5


def test_what_keeps_a_plan_from_being_made_is_told(world: World) -> None:
    """ "A person has to" would hide that a permission is all that is missing."""
    report = diagnose(target(), Blind(world))
    (finding,) = [f for f in report.findings if f.cause.code == "missing-environment"]
    assert finding.plan is None
    assert "ecs:DescribeTaskDefinition was denied" in finding.unplanned
    assert "no plan could be made" in terminal.render(report, terminal.Style())


class Blind:
    """A world in which a setting is lost, and earlier revisions may not be looked at."""

    def __init__(self, world: World) -> None:
        world.environment["JOBS_TABLE"] = ""
        world.put_control_plane(7)
        self.world, self.calls = world, world.calls

    def read(self, operation: str, parameters: Answer) -> Answer:
        earlier = [f"outpost-control-plane:{number}" for number in range(1, 7)]
        if operation == "ecs:DescribeTaskDefinition" and parameters["taskDefinition"] in earlier:
            raise CouldNotLook(operation, "denied", permission=operation)
        return self.world.read(operation, parameters)


def test_a_service_that_is_scaled_to_0_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the mended revision runs there, so that nothing gets healthy; another plan scales it up."""
    monkeypatch.setattr(definitions, "ROLL_OUT", 0)  # seconds: one look, and no more
    world.put_control_plane(6)
    bucket = world.environment.pop("S3_ARTIFACTS_BUCKET")
    world.put_control_plane(7)
    world.service |= {"desiredCount": 0, "runningCount": 0}
    world.target_health = []
    stack = Mendable(world)
    report = stack.diagnose()
    lost = "health-check-failing/missing-environment"
    plan = next(finding.plan for finding in report.findings if finding.cause.key == lost)
    assert plan is not None

    def deployed(operation: str) -> None:
        if operation == "ecs:UpdateService":
            world.environment["S3_ARTIFACTS_BUCKET"] = bucket
            world.put_control_plane(7)

    stack.side_effect = deployed
    assert stack.mend(report, approved=plan.id)[0] == [(lost, "mended")]
