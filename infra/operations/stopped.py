"""Why tasks stopped: ECS's reasons, the end of their logs, and the cause that the runbooks know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from infra.operations.rollout import Deployment
from outpost.failure import Failure, TaskEnd, classify
from outpost.names import CONTROL_PLANE_CONTAINER, CONTROL_PLANE_LOG_GROUP, SERVICE, Names

TAIL = 20  # lines
SHOWN = 3  # tasks; the others of a failed deployment end alike


@dataclass(frozen=True, kw_only=True)
class StoppedTask:
    """A task that ended. `failure` is None for an ordinary end."""

    id: str
    stopped_reason: str
    exit_code: int | None
    container_reason: str
    log: Sequence[str]
    failure: Failure | None

    def lines(self) -> list[str]:
        """For people: the reasons, then the log."""
        code = "no exit code" if self.exit_code is None else f"exit code {self.exit_code}"
        found = [f"task {self.id}: {code}. {self.stopped_reason} {self.container_reason}".rstrip()]
        if self.failure:
            found.append(f"  {self.failure.summary} {self.failure.remedy}".rstrip())
            if self.failure.issue:
                found.append(f"  ./inv diagnose --issue {self.failure.issue}")
        return [*found, *(f"  | {line}" for line in self.log)]


def stopped_tasks(ecs: Any, logs: Any, names: Names, deployment: Deployment) -> list[StoppedTask]:
    """The deployment's tasks that stopped within ECS's memory (an hour), the newest first."""
    listed = ecs.list_tasks(cluster=names.cluster, serviceName=SERVICE, desiredStatus="STOPPED")["taskArns"]
    if not listed:
        return []
    found = ecs.describe_tasks(cluster=names.cluster, tasks=listed[:100])["tasks"]
    own = [task for task in found if task["taskDefinitionArn"] == deployment.task_definition]
    own = [task for task in own if task.get("startedBy", deployment.id) == deployment.id]
    own.sort(key=lambda task: str(task.get("stoppedAt", "")), reverse=True)
    return [_stopped(task, logs) for task in own[:SHOWN]]


def _stopped(task: Mapping[str, Any], logs: Any) -> StoppedTask:
    container: Mapping[str, Any] = next(
        (each for each in task.get("containers", ()) if each.get("name") == CONTROL_PLANE_CONTAINER), {}
    )
    identity = task["taskArn"].rpartition("/")[2]
    tail = log_tail(logs, identity)
    end = TaskEnd(
        exit_code=container.get("exitCode"),
        stop_code=task.get("stopCode", ""),
        stopped_reason=task.get("stoppedReason", ""),
        container_reason=container.get("reason", ""),
        log_tail=tail,
    )
    return StoppedTask(
        id=identity,
        stopped_reason=end.stopped_reason,
        exit_code=end.exit_code,
        container_reason=end.container_reason,
        log=tail,
        failure=classify(end),
    )


def log_tail(logs: Any, task_id: str) -> list[str]:
    """The last lines that a control-plane task logged; what AWS answered when they cannot be read."""
    stream = f"{CONTROL_PLANE_CONTAINER}/{CONTROL_PLANE_CONTAINER}/{task_id}"
    try:
        events = logs.get_log_events(
            logGroupName=CONTROL_PLANE_LOG_GROUP, logStreamName=stream, limit=TAIL, startFromHead=False
        )["events"]
    except ClientError as error:
        return [f"(no log: {error.response['Error']['Code']})"]
    return [event["message"].rstrip() for event in events]
