"""The warm pool in a real region: an idle worker's task takes the dispatch, and is replaced."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.dispatch_latency import measure, warm_up_pool
from local.testing import LocalRegion
from outpost.names import Names


@pytest.mark.region
def test_a_dispatch_is_given_to_an_idle_worker(fresh_region: LocalRegion, tmp_path: Path) -> None:
    repository = tmp_path / "project"
    repository.mkdir()
    subprocess.run(["git", "init", "--quiet", "."], cwd=repository, check=True)
    warm_up_pool(fresh_region, 1)
    measure(fresh_region, repository, 1)  # raises unless it ends COMPLETED

    dynamodb, ecs = fresh_region.client("dynamodb"), fresh_region.client("ecs")
    names = Names(fresh_region.stack)

    def slots() -> list[dict[str, dict[str, str]]]:
        return list(
            dynamodb.query(
                TableName=names.jobs_table,
                KeyConditionExpression="tenantId = :pool",
                ExpressionAttributeValues={":pool": {"S": "#pool#claude"}},
            )["Items"]
        )

    leased = [slot for slot in slots() if "leasedTo" in slot]
    assert len(leased) == 1
    (task,) = ecs.describe_tasks(cluster=names.cluster, tasks=[leased[0]["taskArn"]["S"]])["tasks"]
    assert task["startedBy"] == f"outpost-pool/claude/{leased[0]['dispatchId']['S']}"
    fresh_region.wait_for(
        lambda: [slot for slot in slots() if "seenAt" in slot and "leasedTo" not in slot],
        30,
        "another idle worker in its place",
    )
