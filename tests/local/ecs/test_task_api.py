"""RunTask and its relatives, where ECS is particular."""

import pytest
from botocore.exceptions import ClientError

from tests.local.bench import Bench

pytestmark = pytest.mark.region


def test_a_client_token_makes_one_task(bench: Bench) -> None:
    family = bench.register(bench.program("pass"))

    first = bench.run(family, clientToken="dispatch-1")

    assert bench.run(family, clientToken="dispatch-1") == first
    assert bench.run(family, clientToken="dispatch-2") != first


def test_a_client_token_with_other_parameters_is_a_conflict_that_names_the_task(bench: Bench) -> None:
    family = bench.register(bench.program("pass"))
    first = bench.run(family, clientToken="token")

    with pytest.raises(ClientError) as refused:
        bench.run(family, clientToken="token", startedBy="someone")

    assert refused.value.response["Error"]["Code"] == "ConflictException"
    assert refused.value.response["resourceIds"] == [first]


def test_the_vcpu_quota_is_answered_and_kept(bench: Bench) -> None:
    quotas = bench.region.client("service-quotas")
    family = bench.register(bench.program("import time; time.sleep(60)"))
    bench.region.fault("quota", value=0.25)
    try:
        assert (
            quotas.get_service_quota(ServiceCode="fargate", QuotaCode="L-3032A538")["Quota"]["Value"] == 0.25
        )
        running = bench.run(family)
        answer = bench.region.client("ecs").run_task(
            cluster=bench.cluster, taskDefinition=family, networkConfiguration=bench.network
        )
    finally:
        bench.region.fault("quota", value=4000)
    bench.region.client("ecs").stop_task(cluster=bench.cluster, task=running)

    assert answer["tasks"] == []
    assert (
        answer["failures"][0]["reason"]
        == "You've reached the limit on the number of vCPUs you can run concurrently"
    )


def test_capacity_can_be_unavailable(bench: Bench) -> None:
    bench.region.fault("capacity", available=False)
    try:
        answer = bench.region.client("ecs").run_task(
            cluster=bench.cluster,
            taskDefinition=bench.register(bench.program("pass")),
            networkConfiguration=bench.network,
        )
    finally:
        bench.region.fault("clear")

    assert answer["failures"][0]["reason"].startswith("Capacity is unavailable at this time")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"taskDefinition": "no-such-family"}, "TaskDefinition not found"),
        ({"cluster": "no-such-cluster"}, "Cluster not found"),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0"]}}},
            "InvalidSubnetID.NotFound",
        ),
        ({"overrides": {"containerOverrides": [{"name": "other"}]}}, "not a container in the TaskDefinition"),
        (
            {"overrides": {"containerOverrides": [{"name": "main", "command": ["x" * 9000]}]}},
            "length must be at most 8192",
        ),
    ],
)
def test_what_ecs_refuses(bench: Bench, request_: dict[str, object], message: str) -> None:
    family = bench.register(bench.program("pass"))

    with pytest.raises(ClientError, match=message):
        bench.run(family, **request_)


def test_a_family_without_an_active_revision_is_not_found(bench: Bench) -> None:
    family = bench.register(bench.program("pass"))
    bench.region.client("ecs").deregister_task_definition(taskDefinition=f"{family}:1")

    with pytest.raises(ClientError, match="TaskDefinition not found"):
        bench.run(family)
    with pytest.raises(ClientError, match="TaskDefinition is inactive"):
        bench.run(f"{family}:1")


def test_tasks_are_listed_by_what_started_them_and_in_pages(bench: Bench) -> None:
    ecs = bench.region.client("ecs")
    family = bench.register(bench.program("import time; time.sleep(60)"))
    mine = [bench.run(family, startedBy="mine") for _ in range(3)]
    other = bench.run(family, startedBy="other")

    assert ecs.list_tasks(cluster=bench.cluster, startedBy="mine")["taskArns"] == mine
    pages = ecs.get_paginator("list_tasks").paginate(cluster=bench.cluster, PaginationConfig={"PageSize": 2})
    assert [arn for page in pages for arn in page["taskArns"]] == [*mine, other]
    assert ecs.list_tasks(cluster=bench.cluster, family="another")["taskArns"] == []
    for task in (*mine, other):
        ecs.stop_task(cluster=bench.cluster, task=task)
    for task in (*mine, other):
        bench.await_status(task, "STOPPED")
    assert ecs.list_tasks(cluster=bench.cluster)["taskArns"] == []
    assert len(ecs.list_tasks(cluster=bench.cluster, desiredStatus="STOPPED")["taskArns"]) == 4
