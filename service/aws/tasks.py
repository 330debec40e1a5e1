"""ECS tasks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from outpost.names import WORKER_CONTAINER
from service.aws.errors import code_of, extra, message_of, translated
from service.domain.events import Seen, TaskView
from service.domain.job import StoppedEvidence
from service.domain.ports import LaunchRefusedError, LaunchSpec, TaskSummary, UnavailableError

if TYPE_CHECKING:
    from types_boto3_ecs import ECSClient

DESCRIBED = 100  # ARNs of one DescribeTasks
# Answers that leave open whether a task was made; the same call is repeated.
OPEN = frozenset({"ServerException", "InternalFailure", "ServiceUnavailable", "InternalServerError"})


class EcsTasks:
    """`Tasks` on ECS Fargate."""

    def __init__(
        self, client: "ECSClient", cluster: str, subnets: Sequence[str], security_group: str
    ) -> None:
        self._client: Any = client
        self._cluster = cluster
        self._network = {
            "awsvpcConfiguration": {
                "subnets": list(subnets),
                "securityGroups": [security_group],
                "assignPublicIp": "DISABLED",
            }
        }

    def run(self, spec: LaunchSpec) -> str:
        with translated("ecs"):
            try:
                answer = self._client.run_task(
                    cluster=self._cluster,
                    taskDefinition=spec.family,
                    launchType="FARGATE",
                    networkConfiguration=self._network,
                    startedBy=spec.started_by,
                    clientToken=spec.client_token,
                    overrides={
                        "containerOverrides": [
                            {
                                "name": WORKER_CONTAINER,
                                "environment": [
                                    {"name": name, "value": value} for name, value in spec.environment.items()
                                ],
                            }
                        ]
                    },
                    propagateTags="TASK_DEFINITION",
                    tags=[{"key": key, "value": value} for key, value in spec.tags.items()],
                )
            except ClientError as error:
                return self._refused(error)
        tasks = answer.get("tasks", [])
        if tasks:
            return str(tasks[0]["taskArn"])
        failures = answer.get("failures", [])
        first = failures[0] if failures else {}
        raise LaunchRefusedError(
            str(first.get("reason", "NoTask")), str(first.get("detail") or first.get("reason") or "")
        )

    def _refused(self, error: ClientError) -> str:
        code = code_of(error)
        if code in OPEN:
            raise error
        if code == "ConflictException":
            # The token made a task before, from parameters that have changed since: that task it is.
            known = extra(error, "resourceIds") or []
            if known:
                return str(known[0])
            raise error
        raise LaunchRefusedError(code, message_of(error)) from error

    def stop(self, arn: str, reason: str) -> None:
        with translated("ecs"):
            try:
                self._client.stop_task(cluster=self._cluster, task=arn, reason=reason)
            except ClientError as error:
                # ECS forgets stopped tasks; one it does not know needs no stopping.
                if code_of(error) != "InvalidParameterException":
                    raise

    def describe(self, arns: Sequence[str]) -> dict[str, TaskView]:
        views: dict[str, TaskView] = {}
        for start in range(0, len(arns), DESCRIBED):
            batch = list(arns[start : start + DESCRIBED])
            with translated("ecs"):
                answer = self._client.describe_tasks(cluster=self._cluster, tasks=batch)
            views |= {task["taskArn"]: view_of(task) for task in answer.get("tasks", [])}
            for failure in answer.get("failures", []):
                seen = Seen.MISSING if failure.get("reason") == "MISSING" else Seen.UNKNOWN
                views[failure["arn"]] = TaskView(seen=seen, arn=failure["arn"])
        return {arn: views.get(arn, TaskView(seen=Seen.UNKNOWN, arn=arn)) for arn in arns}

    def find(self, started_by: str) -> str | None:
        for status in ("RUNNING", "STOPPED"):
            with translated("ecs"):
                answer = self._client.list_tasks(
                    cluster=self._cluster, startedBy=started_by, desiredStatus=status
                )
            if answer.get("taskArns"):
                return str(answer["taskArns"][0])
        return None

    def running(self, family: str) -> list[TaskSummary]:
        arns: list[str] = []
        token: dict[str, str] = {}
        while True:
            with translated("ecs"):
                answer = self._client.list_tasks(cluster=self._cluster, family=family, **token)
            arns += answer.get("taskArns", [])
            if not answer.get("nextToken"):
                break
            token = {"nextToken": answer["nextToken"]}
        found: list[TaskSummary] = []
        for start in range(0, len(arns), DESCRIBED):
            with translated("ecs"):
                described = self._client.describe_tasks(
                    cluster=self._cluster, tasks=arns[start : start + DESCRIBED]
                )
            found += [
                TaskSummary(
                    arn=task["taskArn"],
                    started_by=task.get("startedBy", ""),
                    created_at=epoch(task.get("createdAt")) or 0,
                )
                for task in described.get("tasks", [])
            ]
        return found

    def replicas(self, service: str) -> int:
        """Running tasks of an ECS service, at least 1."""
        with translated("ecs"):
            answer = self._client.describe_services(cluster=self._cluster, services=[service])
        if not answer.get("services"):
            raise UnavailableError("ecs", "ServiceNotFound", service)
        return max(1, int(answer["services"][0]["runningCount"]))

    def definition_problem(self, family: str) -> str | None:
        """Why the family cannot be run: it has no ACTIVE revision. None if it has."""
        with translated("ecs"):
            try:
                answer = self._client.describe_task_definition(taskDefinition=family)
            except ClientError as error:
                if code_of(error) == "ClientException":
                    return f"no task definition {family}"
                raise
        status = answer["taskDefinition"].get("status", "ACTIVE")
        return None if status == "ACTIVE" else f"task definition {family} is {status}"


def epoch(moment: object) -> float | None:
    """Epoch seconds of what the SDK (a datetime) or an event (an ISO text) gives."""
    if isinstance(moment, datetime):
        return moment.timestamp()
    if isinstance(moment, str) and moment:
        return datetime.fromisoformat(moment).timestamp()
    return float(moment) if isinstance(moment, int | float) else None


def evidence_of(task: Mapping[str, Any]) -> StoppedEvidence:
    """What a stopped task, as DescribeTasks or an event shows it, says about its end."""
    containers: list[Mapping[str, Any]] = list(task.get("containers", []))
    worker = next((each for each in containers if each.get("name") == WORKER_CONTAINER), None)
    worker = worker or (containers[0] if containers else {})
    exit_code = worker.get("exitCode")
    return StoppedEvidence(
        task_arn=str(task.get("taskArn", "")),
        stop_code=str(task.get("stopCode") or ""),
        stopped_reason=str(task.get("stoppedReason") or ""),
        exit_code=int(exit_code) if exit_code is not None else None,
        container_reason=str(worker.get("reason") or ""),
        stopped_at=epoch(task.get("stoppedAt")),
    )


def view_of(task: Mapping[str, Any]) -> TaskView:
    if task.get("lastStatus") == "STOPPED":
        return TaskView(seen=Seen.STOPPED, arn=task["taskArn"], evidence=evidence_of(task))
    return TaskView(seen=Seen.ACTIVE, arn=task["taskArn"])
