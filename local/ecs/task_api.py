"""RunTask, StopTask, DescribeTasks, ListTasks."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from local.aws.call import Call
from local.aws.errors import AwsError
from local.ecs import definitions, network
from local.ecs.model import ARN, Container, Task, new_id
from local.ecs.store import TaskStore

MAX_COUNT = 10  # tasks of one RunTask
MAX_OVERRIDES = 8192  # characters of the overrides as JSON
MAX_DESCRIBED = 100  # tasks of one DescribeTasks, and of one page of ListTasks
MAX_TOKEN = 64  # characters of a client token
VCPU_LIMIT_REASON = "You've reached the limit on the number of vCPUs you can run concurrently"
CAPACITY_REASON = (
    "Capacity is unavailable at this time. Please try again later or in a different availability zone"
)


class TaskApi:
    """ECS's operations on tasks. `start` and `stop` hand a task to Fargate and return at once."""

    def __init__(
        self,
        store: TaskStore,
        *,
        start: Callable[[Task], None],
        stop: Callable[[Task], None],
        vcpu_quota: Callable[[], float],
        capacity_available: Callable[[], bool],
    ) -> None:
        self._store = store
        self._start = start
        self._stop = stop
        self._vcpu_quota = vcpu_quota
        self._capacity_available = capacity_available

    def run_task(self, call: Call) -> dict[str, Any]:
        parameters = call.parameters
        cluster = definitions.cluster_name(parameters.get("cluster"))
        token = str(parameters.get("clientToken") or "")
        fingerprint = json.dumps(parameters, sort_keys=True)
        known = self._store.tokens.get((cluster, token)) if token else None
        if len(token) > MAX_TOKEN:
            raise AwsError("InvalidParameterException", "Client token is longer than 64 characters.")
        if known:
            arns = [f"{ARN}:task/{cluster}/{task}" for task in known.tasks]
            if known.fingerprint != fingerprint:
                raise AwsError(
                    "ConflictException",
                    "The RunTask request could not be processed due to conflicts. The provided clientToken "
                    "is already in use with a different RunTask request.",
                    resourceIds=arns,
                )
            tasks = [self._store.get(cluster, arn) for arn in arns]
            return {"tasks": [task.render(tags=True) for task in tasks if task], "failures": []}
        made, failures = self._make(cluster, parameters)
        if token and made:
            self._store.remember_token(cluster, token, fingerprint, [task.id for task in made])
        answer = {"tasks": [task.render(tags=True) for task in made], "failures": failures}
        for task in made:
            self._start(task)
        return answer

    def _make(self, cluster: str, parameters: dict[str, Any]) -> tuple[list[Task], list[dict[str, str]]]:
        definition = definitions.task_definition(str(parameters.get("taskDefinition", "")))
        count = int(parameters.get("count") or 1)
        if not 1 <= count <= MAX_COUNT:
            raise AwsError("InvalidParameterException", "Task count must be between 1 and 10.")
        overrides = parameters.get("overrides") or {}
        _check_overrides(overrides, definition)
        tags = {tag["key"]: tag["value"] for tag in parameters.get("tags") or []}
        if parameters.get("propagateTags") == "TASK_DEFINITION":
            tags = {**definition["tags"], **tags}
        made, failures = [], []
        for _ in range(count):
            reason = self.refusal(definition, overrides)
            if reason:
                failures.append({"arn": f"{ARN}:cluster/{cluster}", "reason": reason})
                continue
            task = self.make(
                cluster,
                definition,
                parameters.get("networkConfiguration"),
                group=parameters.get("group") or f"family:{definition['family']}",
                started_by=str(parameters.get("startedBy") or ""),
                strategy=parameters.get("capacityProviderStrategy") or [],
                overrides=overrides,
                tags=tags,
            )
            made.append(task)
        return made, failures

    def refusal(self, definition: dict[str, Any], overrides: dict[str, Any]) -> str:
        """Why Fargate would not place such a task now; empty if it would."""
        wanted = int(overrides.get("cpu") or definition.get("cpu") or 256) / 1024
        if self._store.vcpus() + wanted > self._vcpu_quota():
            return VCPU_LIMIT_REASON
        return "" if self._capacity_available() else CAPACITY_REASON

    def make(
        self,
        cluster: str,
        definition: dict[str, Any],
        configuration: dict[str, Any] | None,
        *,
        group: str,
        started_by: str,
        strategy: list[dict[str, Any]],
        overrides: dict[str, Any],
        tags: dict[str, str],
        service: str = "",
        deployment: str = "",
    ) -> Task:
        """Put a new task into the store, PROVISIONING; it is not handed to Fargate yet."""
        if not configuration or not (configuration.get("awsvpcConfiguration") or {}).get("subnets"):
            raise AwsError(
                "InvalidParameterException",
                "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            )
        awsvpc = configuration["awsvpcConfiguration"]
        network.check(awsvpc)
        attachment, zone = network.plan(awsvpc)
        task_id = new_id()
        containers = [
            Container(each, f"{ARN}:container/{cluster}/{task_id}/{uuid4()}")
            for each in definition["containerDefinitions"]
        ]
        task = Task(
            id=task_id,
            cluster=cluster,
            definition=definition,
            group=group,
            started_by=started_by,
            launch_type="FARGATE",
            capacity_provider=str(strategy[0]["capacityProvider"]) if strategy else "",
            overrides=overrides,
            tags=tags,
            network=awsvpc,
            containers=containers,
            attachment=attachment,
            availability_zone=zone,
            service=service,
            deployment=deployment,
        )
        self._store.add(task)
        return task

    def stop_task(self, call: Call) -> dict[str, Any]:
        cluster = definitions.cluster_name(call.parameters.get("cluster"))
        task = self._store.get(cluster, str(call.parameters.get("task", "")))
        if task is None:
            raise AwsError("InvalidParameterException", "The referenced task was not found.")
        if task.desired_status != "STOPPED":
            task.stop_code = "UserInitiated"
            task.stopped_reason = str(call.parameters.get("reason") or "Task stopped by user")
            task.tags = {}
            self._stop(task)
        return {"task": task.render()}

    def describe_tasks(self, call: Call) -> dict[str, Any]:
        cluster = definitions.cluster_name(call.parameters.get("cluster"))
        references = call.parameters.get("tasks") or []
        if not references:
            raise AwsError("InvalidParameterException", "Tasks cannot be empty.")
        if len(references) > MAX_DESCRIBED:
            raise AwsError("InvalidParameterException", "Tasks cannot have more than 100 elements.")
        tags = "TAGS" in (call.parameters.get("include") or [])
        tasks, failures = [], []
        for reference in references:
            task = self._store.get(cluster, reference)
            if task:
                tasks.append(task.render(tags=tags))
            else:
                arn = reference if reference.startswith("arn:") else f"{ARN}:task/{cluster}/{reference}"
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"tasks": tasks, "failures": failures}

    def list_tasks(self, call: Call) -> dict[str, Any]:
        parameters = call.parameters
        cluster = definitions.cluster_name(parameters.get("cluster"))
        desired = str(parameters.get("desiredStatus") or "RUNNING")
        wanted = {
            "cluster": cluster,
            "family": str(parameters.get("family") or "").split(":")[0],
            "started_by": str(parameters.get("startedBy") or ""),
            "service": str(parameters.get("serviceName") or "").rsplit("/", 1)[-1],
            "launch_type": str(parameters.get("launchType") or ""),
        }
        tasks = self._store.all() if desired == "STOPPED" else self._store.active()
        arns = [
            task.arn
            for task in tasks
            if task.desired_status == desired
            and all(not value or getattr(task, name) == value for name, value in wanted.items())
        ]
        size = min(int(parameters.get("maxResults") or MAX_DESCRIBED), MAX_DESCRIBED)
        first = _position(str(parameters.get("nextToken") or ""))
        answer: dict[str, Any] = {"taskArns": arns[first : first + size]}
        if first + size < len(arns):
            answer["nextToken"] = str(first + size)
        return answer


def _position(token: str) -> int:
    if token and not token.isdigit():
        raise AwsError("InvalidParameterException", "Invalid token.")
    return int(token or 0)


def _check_overrides(overrides: dict[str, Any], definition: dict[str, Any]) -> None:
    """Raise `AwsError` for overrides that ECS refuses."""
    if len(json.dumps(overrides, separators=(",", ":"))) > MAX_OVERRIDES:
        raise AwsError(
            "InvalidParameterException", f"Container Overrides length must be at most {MAX_OVERRIDES}"
        )
    names = {container["name"] for container in definition["containerDefinitions"]}
    for override in overrides.get("containerOverrides") or []:
        if override.get("name") not in names:
            raise AwsError(
                "InvalidParameterException",
                f"Override for container named {override.get('name')} is not a container in the "
                "TaskDefinition.",
            )
