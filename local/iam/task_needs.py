"""Needs of ECS, whose calls also pass roles and tag what they make, and of IAM and STS."""

from collections.abc import Iterator
from typing import Any

from local.aws.call import Call
from local.aws.errors import AwsError
from local.ecs.definitions import task_definition
from local.ecs.model import Task
from local.ecs.store import TaskStore
from local.iam.needs import Need, arn, finder, request_tags

_SERVICE_CALLS = {"CreateService", "UpdateService", "DeleteService"}


class EcsNeeds:
    """Knows the tasks, for the tags and the cluster of what a call names."""

    def __init__(self, store: TaskStore) -> None:
        self._store = store

    def __call__(self, call: Call) -> Iterator[Need]:
        parameters = call.parameters
        cluster = str(parameters.get("cluster") or "default").rsplit("/", 1)[-1]
        context = {"ecs:cluster": arn("ecs", f"cluster/{cluster}")}
        action = f"ecs:{call.operation}"
        if call.operation == "RunTask":
            yield from self._run_task(parameters, cluster, context)
        elif call.operation in {"StopTask", "DescribeTasks"}:
            named = parameters.get("tasks") or [parameters.get("task", "")]
            for task in named:
                yield self._task(action, cluster, str(task), context)
        elif call.operation in _SERVICE_CALLS or call.operation == "DescribeServices":
            services = parameters.get("services") or [
                parameters.get("service") or parameters.get("serviceName", "")
            ]
            for service in services:
                name = str(service).rsplit("/", 1)[-1]
                yield Need(action=action, resource=arn("ecs", f"service/{cluster}/{name}"), context=context)
        elif call.operation == "DescribeClusters":
            for name in parameters.get("clusters") or ["default"]:
                yield Need(action=action, resource=arn("ecs", f"cluster/{str(name).rsplit('/', 1)[-1]}"))
        elif call.operation == "RegisterTaskDefinition":
            family = parameters.get("family", "")
            yield Need(
                action=action,
                resource=arn("ecs", f"task-definition/{family}:*"),
                context=request_tags(parameters),
            )
            yield from _passed(parameters)
        elif call.operation in {"TagResource", "UntagResource", "ListTagsForResource"}:
            yield Need(action=action, resource=parameters.get("resourceArn", "*"))
        else:  # no resource level on AWS, or none that a policy here uses
            clustered = "cluster" in parameters
            yield Need(action=action, context=context if clustered else {})

    def _run_task(self, parameters: dict[str, Any], cluster: str, context: dict[str, str]) -> Iterator[Need]:
        definition = str(parameters.get("taskDefinition", "")).rsplit("/", 1)[-1]
        resource = arn("ecs", f"task-definition/{definition}" + ("" if ":" in definition else ":*"))
        tags = request_tags(parameters)
        yield Need(action="ecs:RunTask", resource=resource, context={**context, **tags})
        if tags or parameters.get("propagateTags"):
            yield Need(
                action="ecs:TagResource",
                resource=arn("ecs", f"task/{cluster}/*"),
                context={**context, **tags, "ecs:createaction": "RunTask"},
            )
        yield from _passed(_definition(definition))
        yield from _passed(parameters.get("overrides") or {})

    def _task(self, action: str, cluster: str, reference: str, context: dict[str, str]) -> Need:
        found = self._store.get(cluster, reference)
        tags = {f"aws:resourcetag/{key}": value for key, value in _tags(found).items()}
        return Need(
            action=action,
            resource=arn("ecs", f"task/{cluster}/{reference.rsplit('/', 1)[-1]}"),
            context={**context, **tags},
        )


def _tags(task: Task | None) -> dict[str, str]:
    return task.tags if task is not None else {}


def _definition(reference: str) -> dict[str, Any]:
    """The task definition that RunTask would use; empty when there is none, which RunTask reports."""
    try:
        return task_definition(reference)
    except AwsError:
        return {}


def _passed(parameters: dict[str, Any]) -> Iterator[Need]:
    """iam:PassRole for each role that a task would get."""
    for name in ("taskRoleArn", "executionRoleArn"):
        if role := parameters.get(name):
            yield Need(
                action="iam:PassRole",
                resource=arn("iam", f"role/{role}", region="") if not role.startswith("arn:") else role,
                context={"iam:passedtoservice": "ecs-tasks.amazonaws.com"},
            )


@finder("iam")
def iam(call: Call) -> Iterator[Need]:
    parameters = call.parameters
    kinds = {
        "RoleName": "role",
        "UserName": "user",
        "GroupName": "group",
        "InstanceProfileName": "instance-profile",
    }
    resource = parameters.get("PolicyArn") or "*"
    for parameter, kind in kinds.items():
        if name := parameters.get(parameter):
            resource = arn("iam", f"{kind}/{name}", region="")
            break
    yield Need(action=f"iam:{call.operation}", resource=resource, context=request_tags(parameters))


@finder("sts")
def sts(call: Call) -> Iterator[Need]:
    if call.operation not in {"GetCallerIdentity", "GetSessionToken"}:
        yield Need(action=f"sts:{call.operation}", resource=call.parameters.get("RoleArn", "*"))
