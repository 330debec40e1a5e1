"""Services: kept at their count, rolled out, rolled back."""

from typing import Any

import psutil
import pytest

from tests.local.web import Web

pytestmark = pytest.mark.region


def test_a_service_reaches_its_count_and_a_steady_state(web: Web) -> None:
    service = web.await_rollout()

    assert (service["runningCount"], service["desiredCount"], service["pendingCount"]) == (1, 1, 0)
    web.region.wait_for(lambda: "(service web) has reached a steady state." in web.messages)
    for words in (
        "has started 1 tasks: (task ",
        "registered 1 targets in (target-group ",
        "deployment completed.",
    ):
        assert any(words in message for message in web.messages)


def test_a_killed_task_is_replaced(web: Web) -> None:
    web.await_rollout()
    (task,) = [each for each in web.region.tasks() if each["family"] == web.family]

    psutil.Process(task["pids"][0]).kill()

    stopped = web.bench.await_status(task["task"], "STOPPED")
    assert stopped["containers"][0]["exitCode"] == 137
    web.region.wait_for(lambda: web.service["runningCount"] == 1 and web.get().status_code == 200)


def test_scaling_in_stops_tasks_and_says_why(web: Web) -> None:
    web.update(desiredCount=3)
    web.region.wait_for(lambda: web.service["runningCount"] == 3)
    before = web.tasks

    web.update(desiredCount=1)

    web.region.wait_for(lambda: len(web.tasks) == 1)
    gone = next(arn for arn in before if arn not in web.tasks)
    stopped = web.bench.await_status(gone, "STOPPED")
    assert stopped["stopCode"] == "ServiceSchedulerInitiated"
    assert stopped["stoppedReason"].startswith("Scaling activity initiated by (deployment ecs-svc/")


def test_scaling_in_keeps_a_task_that_serves(web: Web) -> None:
    web.await_rollout()
    web.update(desiredCount=2)
    web.region.wait_for(lambda: len(web.tasks) == 2)

    web.update(desiredCount=1)

    web.region.wait_for(lambda: len(web.tasks) == 1)
    assert web.get().status_code == 200  # the one that had not become healthy yet is gone


def test_a_new_definition_replaces_the_old_without_a_gap(web: Web) -> None:
    web.await_rollout()
    web.register("two")
    web.update(taskDefinition=web.family)

    answers = [web.get()]
    while "two" not in answers[-1].text:
        answers.append(web.get())
    service = web.await_rollout()

    assert {answer.status_code for answer in answers} == {200}
    assert service["taskDefinition"].endswith(":2")
    assert service["runningCount"] == 1


def test_force_new_deployment_replaces_the_task(web: Web) -> None:
    web.await_rollout()
    (before,) = web.tasks

    web.update(forceNewDeployment=True)

    web.bench.await_status(before, "STOPPED")
    assert web.await_rollout()["runningCount"] == 1


def test_a_failing_definition_is_rolled_back_by_the_circuit_breaker(web: Web) -> None:
    web.await_rollout()
    web.register("two", image=web.bench.program("raise SystemExit(1)"))
    web.update(taskDefinition=web.family)

    web.region.wait_for(lambda: any("rolling back to deployment" in each for each in web.messages))
    service = web.await_rollout()

    assert service["taskDefinition"].endswith(":1")
    assert web.get().status_code == 200


def test_an_unhealthy_task_is_stopped_and_the_reason_names_the_target_group(web: Web) -> None:
    web.await_rollout()
    web.register("two", STATUS="500")
    web.update(taskDefinition=web.family)
    deployment = next(each["id"] for each in web.service["deployments"] if each["status"] == "PRIMARY")

    stopped = web.region.wait_for(lambda: _stopped_by_the_scheduler(web, deployment))

    assert stopped["stoppedReason"] == f"Task failed ELB health checks in (target-group {web.group})"
    codes = "due to (reason Health checks failed with these codes: [500])"
    assert any(codes in message for message in web.messages)
    assert web.get().status_code == 200  # the old task has not been touched


def test_a_service_beyond_the_quota_says_that_it_cannot_place_tasks(web: Web) -> None:
    web.await_rollout()
    web.region.fault("quota", value=0)
    try:
        web.update(desiredCount=2)
        words = "was unable to place a task. Reason: You've reached the limit on the number of vCPUs"
        web.region.wait_for(lambda: any(words in message for message in web.messages))
    finally:
        web.region.fault("quota", value=4000)

    web.region.wait_for(lambda: web.service["runningCount"] == 2)


def _stopped_by_the_scheduler(web: Web, deployment: str) -> dict[str, Any] | None:
    arns = web.ecs.list_tasks(cluster=web.bench.cluster, desiredStatus="STOPPED")["taskArns"]
    tasks = web.ecs.describe_tasks(cluster=web.bench.cluster, tasks=arns)["tasks"] if arns else []
    found = [
        task
        for task in tasks
        if task["startedBy"] == deployment and task.get("stopCode") == "ServiceSchedulerInitiated"
    ]
    return dict(found[0]) if found else None
