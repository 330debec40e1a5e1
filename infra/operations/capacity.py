"""How many tasks the control plane has, and how many vCPUs the account may use on Fargate."""

from typing import Any

from infra.operations.rollout import described
from infra.operations.running import Running
from outpost.errors import OutpostError
from outpost.names import SERVICE, VCPU_QUOTA_CODE

DIMENSION = "ecs:service:DesiredCount"
MAXIMUM_REPLICAS = 20  # as the setting `replicas` allows


def scale(running: Running, replicas: int, *, yes: bool = False, dry_run: bool = False) -> None:
    """Sets the number of tasks at rest until the next deployment, which sets it to the stack's `replicas`.

    Where auto-scaling is in force its minimum is set too, or it would undo the change at once.
    """
    if not 1 <= replicas <= MAXIMUM_REPLICAS:
        raise OutpostError(
            "invalid-replicas",
            f"{replicas} replicas.",
            remedy=f"Use 1 to {MAXIMUM_REPLICAS}; 0 is an outage.",
        )
    service = described(running.client("ecs"), running.names)
    resource = f"service/{running.names.cluster}/{SERVICE}"
    autoscaling = running.client("application-autoscaling")
    targets = autoscaling.describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[resource], ScalableDimension=DIMENSION
    )["ScalableTargets"]
    calls = [f"ecs:UpdateService {resource} desiredCount {service['desiredCount']} -> {replicas}"]
    maximum = max([replicas, *(target["MaxCapacity"] for target in targets)])
    if targets:
        bounds = f"minimum {replicas}, maximum {maximum}"
        calls.insert(0, f"application-autoscaling:RegisterScalableTarget {resource} {bounds}")
    if not running.approved(calls, yes=yes, dry_run=dry_run):
        return
    if targets:
        autoscaling.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=resource,
            ScalableDimension=DIMENSION,
            MinCapacity=replicas,
            MaxCapacity=maximum,
        )
    running.client("ecs").update_service(
        cluster=running.names.cluster, service=SERVICE, desiredCount=replicas
    )


def quota(running: Running) -> dict[str, Any]:
    """The account's Fargate vCPU quota in this region."""
    answer = running.client("service-quotas").get_service_quota(
        ServiceCode="fargate", QuotaCode=VCPU_QUOTA_CODE
    )["Quota"]
    return {"code": VCPU_QUOTA_CODE, "name": answer["QuotaName"], "vcpus": answer["Value"]}


def request_quota(running: Running, vcpus: float, *, yes: bool = False, dry_run: bool = False) -> str | None:
    """Asks AWS for a higher quota; the request's id. Raises `OutpostError` for one that is not higher."""
    current = quota(running)["vcpus"]
    if vcpus <= current:
        raise OutpostError("quota-not-higher", f"The quota is {current:g} vCPUs already.")
    call = f"service-quotas:RequestServiceQuotaIncrease fargate {VCPU_QUOTA_CODE} {current:g} -> {vcpus:g}"
    if not running.approved([call], yes=yes, dry_run=dry_run):
        return None
    answer = running.client("service-quotas").request_service_quota_increase(
        ServiceCode="fargate", QuotaCode=VCPU_QUOTA_CODE, DesiredValue=vcpus
    )
    return str(answer["RequestedQuota"]["Id"])
