"""Dispatch stays in PENDING: the launcher's reason and the configuration together prove it."""

import pytest

from runbooks.model import Verdict
from tests.runbooks.judging import assert_root, judged, operations
from tests.runbooks.world import CONTROL, WORKER, World

ISSUE = "dispatch-stuck-pending"


def _waits(world: World, cause: str) -> None:
    world.add_job("PENDING", waitingReason={"issue": ISSUE, "cause": cause, "summary": "refused"})


def test_no_quota(world: World) -> None:
    world.quota = 1.0
    _waits(world, "vcpu-quota-exhausted")
    report = assert_root(world, f"{ISSUE}/vcpu-quota-exhausted", Verdict.FAIL)
    assert operations(report) == ["service-quotas:RequestServiceQuotaIncrease"]


def test_a_small_quota_is_a_risk(world: World) -> None:
    world.quota = 2.0
    assert_root(world, f"{ISSUE}/vcpu-quota-exhausted", Verdict.WARN)


def test_an_agent_without_a_task_definition(world: World) -> None:
    del world.definitions["outpost-codex"]
    assert_root(world, f"{ISSUE}/task-definition-missing", Verdict.FAIL)


@pytest.mark.parametrize(("free", "verdict"), [(0, Verdict.FAIL), (5, Verdict.WARN), (8, Verdict.OK)])
def test_addresses_left(world: World, free: int, verdict: Verdict) -> None:
    world.subnets["subnet-a"]["AvailableIpAddressCount"] = free
    world.subnets["subnet-b"]["AvailableIpAddressCount"] = 0
    assert judged(world, f"{ISSUE}/subnet-exhausted").judgement.verdict is verdict


def test_no_egress_to_the_internet(world: World) -> None:
    world.groups[WORKER]["IpPermissionsEgress"] = world.groups[WORKER]["IpPermissionsEgress"][1:]
    report = assert_root(world, f"{ISSUE}/egress-blocked", Verdict.FAIL)
    assert operations(report) == ["ec2:AuthorizeSecurityGroupEgress"]


def test_no_way_to_the_control_plane(world: World) -> None:
    world.groups[CONTROL]["IpPermissions"] = []
    report = assert_root(world, f"{ISSUE}/egress-blocked", Verdict.FAIL)
    assert operations(report) == ["ec2:AuthorizeSecurityGroupIngress"]


def test_no_default_route(world: World) -> None:
    world.routes["rtb-private"][1].clear()
    report = assert_root(world, f"{ISSUE}/egress-blocked", Verdict.FAIL)
    plan = report.findings[0].plan
    assert plan is not None
    assert plan.actions[0].call.parameters["NatGatewayId"] == "nat"


def test_a_nat_gateway_that_has_gone(world: World) -> None:
    world.nat_state = "deleted"
    finding = assert_root(world, f"{ISSUE}/egress-blocked", Verdict.FAIL).findings[0]
    assert finding.judgement.evidence[0].saw == "deleted"
    assert finding.plan is None


def test_what_opens_the_way_out_can_be_taken_back(world: World) -> None:
    world.groups[WORKER]["IpPermissionsEgress"] = []
    world.routes["rtb-private"] = (["subnet-a", "subnet-b"], [])
    plan = judged(world, "dispatch-stuck-pending/egress-blocked").plan
    assert plan is not None
    pairs = [(action.call.operation, action.undo and action.undo.operation) for action in plan.actions]
    assert pairs == [
        ("ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupEgress"),
        ("ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupEgress"),
        ("ec2:CreateRoute", "ec2:DeleteRoute"),
    ]


def test_a_route_to_what_is_no_longer_there(world: World) -> None:
    """EC2 calls it a black hole, also where it does not say that the gateway is gone."""
    route = {"DestinationCidrBlock": "0.0.0.0/0", "NetworkInterfaceId": "eni-gone", "State": "blackhole"}
    world.routes["rtb-private"] = (["subnet-a", "subnet-b"], [route])
    report = assert_root(world, "dispatch-stuck-pending/egress-blocked", Verdict.FAIL)
    assert report.findings[0].judgement.evidence[0].saw == "blackhole"
