"""EFS mount failure: every zone has a mount target, 2049 is open, and all are in private subnets."""

import pytest

from runbooks.model import Verdict
from tests.runbooks.judging import assert_root, judged, operations
from tests.runbooks.world import FILES, WORKER, World, mount_target

ISSUE = "efs-mount-failure"


def test_a_zone_without_a_mount_target(world: World) -> None:
    world.mount_targets = [mount_target("a", "subnet-a")]
    report = assert_root(world, f"{ISSUE}/no-mount-target", Verdict.FAIL)
    plan = report.findings[0].plan
    assert plan is not None
    assert plan.actions[0].call.parameters["SubnetId"] == "subnet-b"


def test_closed_on_either_side(world: World) -> None:
    world.groups[FILES]["IpPermissions"] = []
    world.groups[WORKER]["IpPermissionsEgress"] = world.groups[WORKER]["IpPermissionsEgress"][:2]
    report = assert_root(world, f"{ISSUE}/nfs-blocked", Verdict.FAIL)
    assert operations(report) == ["ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress"]


def test_a_mount_target_in_a_public_subnet_is_a_risk(world: World) -> None:
    world.mount_targets[0]["SubnetId"] = "public-a"
    assert_root(world, f"{ISSUE}/wrong-subnet", Verdict.WARN)


def test_workers_in_a_public_subnet_explain_what_follows(world: World) -> None:
    world.environment["WORKER_SUBNETS"] = "public-a"
    world.put_control_plane(7)
    report = assert_root(
        world,
        f"{ISSUE}/wrong-subnet",
        Verdict.FAIL,
        "dispatch-stuck-pending/egress-blocked",
        "slow-responses/missing-vpc-endpoints",
    )
    assert set(report.findings[0].explains) == {"egress-blocked", "missing-vpc-endpoints"}
    assert len(report.findings) == 1


@pytest.mark.parametrize(
    ("state", "verdict"),
    [("creating", Verdict.OK), ("deleting", Verdict.FAIL), ("error", Verdict.FAIL)],
)
def test_a_mount_target_that_cannot_be_used_is_none(world: World, state: str, verdict: Verdict) -> None:
    world.mount_targets[1]["LifeCycleState"] = state
    assert judged(world, f"{ISSUE}/no-mount-target").judgement.verdict is verdict
