"""Cold starts: what a dispatch waited for, and what keeps capacity warm."""

from datetime import timedelta

from runbooks.model import Verdict
from tests.runbooks.judging import assert_root, judged, operations
from tests.runbooks.world import NOW, World

CREATED = NOW - timedelta(minutes=2)


def dispatched(world: World, seconds: float, **more: object) -> None:
    started = (CREATED + timedelta(seconds=seconds)).isoformat()
    world.add_job("COMPLETED", createdAt=CREATED.isoformat(), startedAt=started, **more)


def test_a_first_dispatch_that_took_long_to_start(world: World) -> None:
    dispatched(world, 41)
    dispatched(world, 2)
    report = assert_root(world, "high-cold-start/pool-not-warmed", Verdict.WARN)
    summary = report.findings[0].judgement.summary
    assert "41 s" in summary
    assert "took 2 s" in summary


def test_an_agent_without_an_idle_worker_is_given_one(world: World) -> None:
    dispatched(world, 41, agent="codex")
    world.environment["WARM_POOL"] = "aider=2"
    world.put_control_plane(7)
    report = assert_root(world, "high-cold-start/pool-not-warmed", Verdict.WARN)
    plan = report.findings[0].plan
    assert plan is not None
    environment = plan.actions[0].call.parameters["containerDefinitions"][0]["environment"]
    assert {"name": "WARM_POOL", "value": "aider=2,codex=1"} in environment


def test_a_cold_start_from_before_the_pool_is_over(world: World) -> None:
    dispatched(world, 41)
    world.environment["WARM_POOL"] = "claude=1"
    world.put_control_plane(7)
    world.service["deployments"][0]["createdAt"] = NOW
    assert judged(world, "high-cold-start/pool-not-warmed").judgement.verdict is Verdict.OK
    world.service["deployments"][0]["createdAt"] = NOW - timedelta(hours=1)
    found = judged(world, "high-cold-start/pool-not-warmed")
    assert (found.judgement.verdict, found.plan) == (Verdict.WARN, None)


def test_a_dispatch_that_waited_for_something_else_is_no_cold_start(world: World) -> None:
    dispatched(world, 90, attempt=2)
    dispatched(world, 90, waitingReason={"code": "vcpu-quota-exhausted"})
    dispatched(world, 5)
    assert judged(world, "high-cold-start/pool-not-warmed").judgement.verdict is Verdict.OK


def test_a_minimum_of_zero_is_a_risk_and_then_a_failure(world: World) -> None:
    world.scaling["ecs"][0]["MinCapacity"] = 0
    report = assert_root(world, "high-cold-start/minimum-capacity-zero", Verdict.WARN)
    assert operations(report) == ["application-autoscaling:RegisterScalableTarget"]
    world.service |= {"desiredCount": 0, "runningCount": 0}
    report = assert_root(
        world,
        "high-cold-start/minimum-capacity-zero",
        Verdict.FAIL,
        "control-plane-not-starting/terminated",
    )
    assert operations(report)[-1] == "ecs:UpdateService"


def test_a_service_that_does_not_scale_has_no_minimum(world: World) -> None:
    world.scaling["ecs"] = []
    assert judged(world, "high-cold-start/minimum-capacity-zero").judgement.verdict is Verdict.OK


def test_a_strategy_without_fargate(world: World) -> None:
    world.cluster["defaultCapacityProviderStrategy"] = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    report = assert_root(world, "high-cold-start/no-provisioned-capacity", Verdict.FAIL)
    assert operations(report) == ["ecs:PutClusterCapacityProviders"]
    world.cluster |= {"capacityProviders": [], "defaultCapacityProviderStrategy": []}
    assert_root(world, "high-cold-start/no-provisioned-capacity", Verdict.FAIL)
