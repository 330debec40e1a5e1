"""Starts the service's tasks anew, or with an earlier task definition, and tells how it truly went."""

from typing import Any

from infra.operations.health import UnhealthyError, await_health
from infra.operations.rollout import Deployment, RolloutError, deployments, follow
from infra.operations.running import Running
from infra.operations.stopped import stopped_tasks
from outpost.errors import OutpostError
from outpost.names import CONTROL_PLANE_FAMILY, SERVICE


def redeploy(running: Running, *, yes: bool = False, dry_run: bool = False) -> Deployment | None:
    """A new deployment of what runs. None for a dry run.

    Raises `RolloutError` or `UnhealthyError` when it failed, also when ECS has rolled it back; the stopped
    tasks' reasons and logs have been said by then.
    """
    (current,) = settled(running)
    call = f"ecs:UpdateService {running.names.cluster}/{SERVICE} forceNewDeployment=true ({current.revision})"
    if not running.approved([call], yes=yes, dry_run=dry_run):
        return None
    return roll_out(running, forceNewDeployment=True)


def rollback(running: Running, *, yes: bool = False, dry_run: bool = False) -> Deployment | None:
    """A deployment of the task definition before the one that runs. Returns and raises as `redeploy`."""
    current = deployments(running.client("ecs"), running.names)[0]
    earlier = _earlier(running.client("ecs"), current)
    call = f"ecs:UpdateService {running.names.cluster}/{SERVICE} {current.revision} -> {_revision(earlier)}"
    if not running.approved([call], yes=yes, dry_run=dry_run):
        return None
    return roll_out(running, taskDefinition=earlier)


def settled(running: Running) -> list[Deployment]:
    """The one deployment that runs. Raises `OutpostError` (`rollout-in-progress`) while there are two."""
    found = deployments(running.client("ecs"), running.names)
    if len(found) > 1:
        raise OutpostError(
            "rollout-in-progress",
            f"{found[0].progress()}: a deployment is under way.",
            remedy="Wait for it (./inv status), or take it back (./inv rollback).",
        )
    return found


def roll_out(running: Running, **update: Any) -> Deployment:
    """Update the service and follow it to its end. Raises as `redeploy`."""
    ecs = running.client("ecs")
    answer = ecs.update_service(cluster=running.names.cluster, service=SERVICE, **update)
    newest = next(
        Deployment.of(each) for each in answer["service"]["deployments"] if each["status"] == "PRIMARY"
    )
    running.say(newest.progress())
    try:
        ended = follow(ecs, running.names, newest, running.say)
        health = await_health(running.api_url())
    except (RolloutError, UnhealthyError):
        _explain(running, newest)
        raise
    running.say(f"healthy: version {health.get('version', 'unknown')}")
    return ended


def _explain(running: Running, failed: Deployment) -> None:
    """Says why tasks of the deployment stopped, and what runs now."""
    ecs = running.client("ecs")
    tasks = stopped_tasks(ecs, running.client("logs"), running.names, failed)
    for task in tasks:
        for line in task.lines():
            running.say(line)
    if not tasks:
        running.say("No task of it has stopped; ./inv diagnose looks further.")
    running.say(f"now: {deployments(ecs, running.names)[0].progress()}")


def _earlier(ecs: Any, current: Deployment) -> str:
    """The newest ACTIVE task definition before the current one."""
    pages = ecs.get_paginator("list_task_definitions").paginate(
        familyPrefix=CONTROL_PLANE_FAMILY, status="ACTIVE", sort="DESC"
    )
    running = _number(current.task_definition)
    for page in pages:
        for arn in page["taskDefinitionArns"]:
            # The prefix also finds families that start with this one's name.
            if _revision(arn).startswith(f"{CONTROL_PLANE_FAMILY}:") and _number(arn) < running:
                return str(arn)
    raise OutpostError(
        "no-earlier-revision",
        f"There is no active task definition before {current.revision}.",
        remedy="Deploy an earlier commit: git switch --detach COMMIT && ./inv deploy.",
    )


def _revision(arn: str) -> str:
    return arn.rpartition("/")[2]


def _number(arn: str) -> int:
    return int(arn.rpartition(":")[2])
