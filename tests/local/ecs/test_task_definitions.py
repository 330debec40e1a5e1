"""Task definitions by family: always the latest ACTIVE revision, as ECS describes it."""

import pytest
from botocore.exceptions import ClientError

from tests.local.bench import Bench

pytestmark = pytest.mark.region


def test_a_family_means_its_latest_active_revision(bench: Bench) -> None:
    ecs = bench.region.client("ecs")
    family = bench.register(bench.program("pass"))
    first = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    copied = {
        name: first[name] for name in ("family", "containerDefinitions", "cpu", "memory", "networkMode")
    }
    second = ecs.register_task_definition(**copied, requiresCompatibilities=["FARGATE"])["taskDefinition"]
    assert (
        ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]["revision"]
        == (second["revision"])
    )
    ecs.deregister_task_definition(taskDefinition=second["taskDefinitionArn"])
    described = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    assert described["revision"] == first["revision"]
    by_arn = ecs.describe_task_definition(taskDefinition=second["taskDefinitionArn"])["taskDefinition"]
    assert by_arn["status"] == "INACTIVE"
    ecs.deregister_task_definition(taskDefinition=first["taskDefinitionArn"])
    with pytest.raises(ClientError) as refused:
        ecs.describe_task_definition(taskDefinition=family)
    assert refused.value.response["Error"]["Code"] == "ClientException"
