"""Operations against a local region: what they change, what they say, how they fail."""

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.operations import capacity, overview
from infra.operations.redeploy import redeploy, rollback
from infra.operations.rollout import RolloutError, deployments
from infra.operations.running import Running
from infra.operations.secret_values import secret_values, set_secret
from infra.operations.smoke import TENANT, smoke
from local.testing import LocalRegion
from outpost.errors import OutpostError
from outpost.names import SERVICE
from runbooks.aws import Connection
from runbooks.target import Target

pytestmark = pytest.mark.region
CLUSTER = "outpost-dev"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def running(region: LocalRegion, said: list[str]) -> Running:
    target = Target.from_environment(environment=region.environment)
    return Running(target=target, connection=Connection(target), say=said.append)


@pytest.fixture
def fresh(fresh_region: LocalRegion, said: list[str]) -> Running:
    target = Target.from_environment(environment=fresh_region.environment)
    return Running(target=target, connection=Connection(target), say=said.append)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "README.md").write_text("# Project\n")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


def definition(running: Running) -> str:
    return deployments(running.client("ecs"), running.names)[0].task_definition


def new_revision(running: Running, **environment: str) -> str:
    """A revision like the running one, with some of its environment changed."""
    ecs: Any = running.client("ecs")
    now = ecs.describe_task_definition(taskDefinition=definition(running))["taskDefinition"]
    (container,) = now["containerDefinitions"]
    kept = [each for each in container["environment"] if each["name"] not in environment]
    container["environment"] = kept + [{"name": name, "value": value} for name, value in environment.items()]
    keys = (
        "family", "taskRoleArn", "executionRoleArn", "networkMode", "volumes",
        "requiresCompatibilities", "cpu", "memory", "runtimePlatform",
    )  # fmt: skip
    given = {key: now[key] for key in keys if now.get(key)}
    answer = ecs.register_task_definition(**given, containerDefinitions=[container])
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def test_redeploy_replaces_every_task_and_ends_healthy(running: Running, said: list[str]) -> None:
    ecs: Any = running.client("ecs")
    before = set(ecs.list_tasks(cluster=CLUSTER, serviceName=SERVICE)["taskArns"])
    ended = redeploy(running, yes=True)
    after = set(ecs.list_tasks(cluster=CLUSTER, serviceName=SERVICE)["taskArns"])
    assert ended is not None
    assert ended.running == ended.desired == len(after)
    assert not before & after
    assert said[0].startswith("  will call: ecs:UpdateService outpost-dev/outpost-control-plane")
    assert said[-1].startswith("healthy: version ")


def test_a_dry_run_changes_nothing(running: Running, said: list[str]) -> None:
    before = deployments(running.client("ecs"), running.names)
    assert redeploy(running, dry_run=True) is None
    assert deployments(running.client("ecs"), running.names) == before
    assert said[0].startswith("  would call: ecs:UpdateService")


def test_without_anybody_to_ask_nothing_is_changed(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    before = deployments(running.client("ecs"), running.names)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(OutpostError) as caught:
        redeploy(running)
    assert caught.value.code == "needs-yes"
    assert deployments(running.client("ecs"), running.names) == before


def test_a_deployment_that_ecs_rolls_back_is_a_failure_with_its_reasons(
    fresh: Running, said: list[str]
) -> None:
    """A missing setting makes every new task exit with 1; ECS's circuit breaker takes the old ones back."""
    good = definition(fresh)
    broken = new_revision(fresh, JOBS_TABLE="")
    fresh.client("ecs").update_service(cluster=CLUSTER, service=SERVICE, taskDefinition=broken)
    found = deployments(fresh.client("ecs"), fresh.names)[0]

    from infra.operations.redeploy import _explain
    from infra.operations.rollout import follow

    with pytest.raises(RolloutError):
        follow(fresh.client("ecs"), fresh.names, found, said.append, timeout=60, poll=0.2)
    _explain(fresh, found)
    text = "\n".join(said)
    assert "exit code 1" in text
    assert "JOBS_TABLE" in text
    assert good != broken


def test_rollback_goes_to_the_revision_before(fresh: Running, said: list[str]) -> None:
    good = definition(fresh)
    newer = new_revision(fresh, LOG_LEVEL="debug")
    fresh.client("ecs").update_service(cluster=CLUSTER, service=SERVICE, taskDefinition=newer)
    ended = rollback(fresh, yes=True)
    assert ended is not None
    assert ended.task_definition == good
    assert definition(fresh) == good


def test_rollback_without_an_earlier_revision_says_what_to_do(running: Running) -> None:
    with pytest.raises(OutpostError, match=r"\./inv deploy"):
        rollback(running, yes=True)


def test_status_tells_what_runs_and_how_the_api_answers(running: Running) -> None:
    found = overview.status(running)
    assert found["running"] == found["desired"] >= 1
    assert found["health"]["status"] == "healthy"
    assert "outpost-dev/outpost-control-plane: " in overview.as_text(found)


def test_logs_are_printed_oldest_first(running: Running) -> None:
    lines = list(overview.log_lines(running, "", since=3600))
    assert lines
    assert [line[:20] for line in lines] == sorted(line[:20] for line in lines)


def test_an_unknown_agent_has_no_log(running: Running) -> None:
    with pytest.raises(OutpostError, match="claude"):
        list(overview.log_lines(running, "cursor", since=60))


def test_scale_sets_the_service_and_its_auto_scaling(region: LocalRegion, running: Running) -> None:
    ecs: Any = running.client("ecs")
    before = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]["desiredCount"]
    try:
        capacity.scale(running, before + 1, yes=True)
        service = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
        targets = running.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
        assert service["desiredCount"] == before + 1
        assert targets["ScalableTargets"][0]["MinCapacity"] == before + 1
    finally:
        capacity.scale(running, before, yes=True)
        region.wait_for(lambda: len(region.tasks()) == before, what="the added task to be gone")


@pytest.mark.parametrize("replicas", [0, 21])
def test_scale_refuses_an_outage_and_a_typo(running: Running, replicas: int) -> None:
    with pytest.raises(OutpostError, match="1 to 20"):
        capacity.scale(running, replicas, yes=True)


def test_quota_is_the_accounts(running: Running) -> None:
    assert capacity.quota(running)["code"] == "L-3032A538"
    with pytest.raises(OutpostError, match="already"):
        capacity.request_quota(running, 1, yes=True)


def test_secrets_show_what_is_set_and_never_the_value(running: Running, said: list[str]) -> None:
    assert secret_values(running)["claude"] == "set"
    assert set_secret(running, "github", "ghp_hidden\n", yes=True)
    assert secret_values(running)["github"] == "set"
    stored = running.client("secretsmanager").get_secret_value(SecretId="outpost/github")
    assert stored["SecretString"] == "ghp_hidden"
    assert "hidden" not in "".join(said)


@pytest.mark.parametrize(("name", "value"), [("cursor", "x"), ("claude", " \n")])
def test_a_wrong_secret_is_refused(running: Running, name: str, value: str) -> None:
    with pytest.raises(OutpostError):
        set_secret(running, name, value, yes=True)


def test_the_smoke_test_dispatches_and_leaves_no_key_behind(running: Running, repository: Path) -> None:
    done = smoke(running, "aider", str(repository), timeout=60, yes=True)
    assert done is not None
    assert done.status == "COMPLETED"
    keys = running.client("dynamodb").scan(TableName="outpost-api-keys-dev")["Items"]
    assert {key["status"]["S"] for key in keys if key["tenantId"]["S"] == TENANT} == {"revoked"}


def test_a_dispatch_that_fails_fails_the_smoke_test(running: Running, tmp_path: Path) -> None:
    with pytest.raises(OutpostError, match="diagnose --dispatch") as caught:
        smoke(running, "aider", str(tmp_path / "nowhere"), timeout=60, yes=True)
    assert caught.value.code == "smoke-failed"


def test_a_stack_that_is_not_deployed_is_told(running: Running) -> None:
    elsewhere = dataclasses.replace(
        running, target=Target.from_environment(stack="staging", environment=running.target.environment)
    )
    with pytest.raises(OutpostError, match=r"no active service") as caught:
        overview.status(elsewhere)
    assert caught.value.code == "no-service"
