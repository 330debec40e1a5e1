"""ECS: a family without a revision means its latest ACTIVE one; moto gives the latest, ACTIVE or not."""

from moto.ecs.exceptions import TaskDefinitionNotFoundException
from moto.ecs.models import EC2ContainerServiceBackend, TaskDefinition

_described = EC2ContainerServiceBackend.describe_task_definition


def install() -> None:
    EC2ContainerServiceBackend.describe_task_definition = _describe_task_definition


def _describe_task_definition(
    backend: EC2ContainerServiceBackend, task_definition_str: str
) -> TaskDefinition:
    family = task_definition_str.rpartition("/")[2]
    if ":" in family:
        return _described(backend, task_definition_str)
    revisions = backend.task_definitions.get(family, {})
    active = [number for number, revision in revisions.items() if revision.status == "ACTIVE"]
    if not active:
        raise TaskDefinitionNotFoundException
    return revisions[max(active)]
