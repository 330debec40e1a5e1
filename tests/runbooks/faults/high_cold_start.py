"""Faults that make a dispatch wait for capacity."""

from datetime import UTC, datetime, timedelta

from outpost.names import SERVICE
from tests.runbooks.faults.stack import STEADY, TENANT, Fault, Stack

SLOW = timedelta(seconds=40)


def pool_not_warmed(stack: Stack) -> None:
    """A dispatch that, by its record, was accepted long before its worker ran."""
    stack.deployed_back()
    job = stack.dispatch("Say hello.")
    created = datetime.now(UTC) - SLOW
    stack.client("dynamodb").update_item(
        TableName=stack.names.jobs_table,
        Key={"tenantId": {"S": TENANT}, "dispatchId": {"S": job["dispatchId"]}},
        UpdateExpression="SET createdAt = :created",
        ExpressionAttributeValues={":created": {"S": created.isoformat()}},
    )


def minimum_capacity_zero(stack: Stack) -> None:
    """Auto-scaling may go down to nothing, and has."""
    scaling = stack.client("application-autoscaling")
    resource = f"service/{stack.names.cluster}/{SERVICE}"
    answer = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])
    before = answer["ScalableTargets"][0]
    which = {
        "ServiceNamespace": "ecs",
        "ResourceId": resource,
        "ScalableDimension": before["ScalableDimension"],
        "MaxCapacity": before["MaxCapacity"],
    }
    desired = stack.service()["desiredCount"]
    stack.undo.callback(stack.steady)
    stack.undo.callback(stack.update_service, desiredCount=desired)
    stack.undo.callback(scaling.register_scalable_target, **which, MinCapacity=before["MinCapacity"])
    scaling.register_scalable_target(**which, MinCapacity=0)
    stack.update_service(desiredCount=0)
    stack.region.wait_for(lambda: stack.service()["runningCount"] == 0, STEADY, "no task")


def no_provisioned_capacity(stack: Stack) -> None:
    ecs, cluster = stack.client("ecs"), stack.names.cluster
    before = ecs.describe_clusters(clusters=[cluster])["clusters"][0]
    stack.undo.callback(
        ecs.put_cluster_capacity_providers,
        cluster=cluster,
        capacityProviders=before["capacityProviders"],
        defaultCapacityProviderStrategy=before["defaultCapacityProviderStrategy"],
    )
    ecs.put_cluster_capacity_providers(
        cluster=cluster,
        capacityProviders=["FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
    )


FAULTS = (
    Fault("high-cold-start/pool-not-warmed", pool_not_warmed, mended=True),
    Fault("high-cold-start/minimum-capacity-zero", minimum_capacity_zero, mended=True),
    Fault("high-cold-start/no-provisioned-capacity", no_provisioned_capacity, mended=True),
)
