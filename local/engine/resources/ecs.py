"""ECS: cluster, task definitions, services."""

import json
from typing import Any

from local.engine.arguments import Arguments, tag_list, whole
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState

_CLUSTER = "aws:ecs/cluster:Cluster"
_PROVIDERS = "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders"
_TASK = "aws:ecs/taskDefinition:TaskDefinition"
_SERVICE = "aws:ecs/service:Service"


def tags(args: Arguments) -> dict[str, Any]:
    """ECS spells its tags in lower case, and refuses an empty list."""
    return {"tags": tag_list(args.tags, "key", "value")} if args.tags else {}


def retag(aws: Aws, old: ResourceState, wanted: dict[str, str]) -> None:
    ecs = aws.client("ecs")
    if gone := [key for key in old.tags if key not in wanted]:
        ecs.untag_resource(resourceArn=old.outputs["arn"], tagKeys=gone)
    if wanted:
        ecs.tag_resource(resourceArn=old.outputs["arn"], tags=tag_list(wanted, "key", "value"))


@creates(_CLUSTER, replace_on=["name"], named_by="name", retag=retag)
def cluster(aws: Aws, args: Arguments) -> Created:
    made = aws.client("ecs").create_cluster(
        clusterName=args["name"], **args.same("settings", "configuration"), **tags(args)
    )["cluster"]
    return Created(made["clusterArn"], {"arn": made["clusterArn"]})


@updates(_CLUSTER)
def update_cluster(aws: Aws, _: ResourceState, args: Arguments) -> dict[str, Any]:
    aws.client("ecs").update_cluster(cluster=args["name"], **args.same("settings", "configuration"))
    return {}


@deletes(_CLUSTER)
def delete_cluster(aws: Aws, old: ResourceState) -> None:
    aws.client("ecs").delete_cluster(cluster=old.id)


@creates(_PROVIDERS, replace_on=["clusterName"], put=True)
def cluster_capacity_providers(aws: Aws, args: Arguments) -> Created:
    aws.client("ecs").put_cluster_capacity_providers(
        cluster=args["clusterName"],
        capacityProviders=args.get("capacityProviders", []),
        defaultCapacityProviderStrategy=[
            {key: whole(value) for key, value in strategy.items() if value is not None}
            for strategy in args.get("defaultCapacityProviderStrategies", [])
        ],
    )
    return Created(args["clusterName"])


@deletes(_PROVIDERS)
def delete_cluster_capacity_providers(aws: Aws, old: ResourceState) -> None:
    aws.client("ecs").put_cluster_capacity_providers(
        cluster=old.id, capacityProviders=[], defaultCapacityProviderStrategy=[]
    )


@creates(_TASK, retag=retag)  # no update: each change is a new revision
def task_definition(aws: Aws, args: Arguments) -> Created:
    args.ignore("skipDestroy", "trackLatest")
    made = aws.client("ecs").register_task_definition(
        **args.same("family", "cpu", "memory", "networkMode", "requiresCompatibilities"),
        **args.same("executionRoleArn", "taskRoleArn", "runtimePlatform", "pidMode", "ipcMode"),
        **{
            key: {"sizeInGiB": whole(storage["sizeInGib"])}
            for key, storage in args.same("ephemeralStorage").items()
        },
        **{key: [_volume(volume) for volume in volumes] for key, volumes in args.same("volumes").items()},
        containerDefinitions=json.loads(args["containerDefinitions"]),
        **tags(args),
    )["taskDefinition"]
    arn = made["taskDefinitionArn"]
    return Created(
        args["family"],
        {"arn": arn, "arnWithoutRevision": arn.rpartition(":")[0], "revision": made["revision"]},
    )


def _volume(volume: dict[str, Any]) -> dict[str, Any]:
    given = {key: value for key, value in volume.items() if value is not None}
    if "hostPath" in given:
        given["host"] = {"sourcePath": given.pop("hostPath")}
    return given


@deletes(_TASK)
def delete_task_definition(aws: Aws, old: ResourceState) -> None:
    if not old.inputs.get("skipDestroy"):
        aws.client("ecs").deregister_task_definition(taskDefinition=old.outputs["arn"])


# What CreateService and UpdateService both take, by the same names.
_SETTINGS = (
    "taskDefinition",
    "desiredCount",
    "platformVersion",
    "enableExecuteCommand",
    "propagateTags",
    "healthCheckGracePeriodSeconds",
    "loadBalancers",
    "availabilityZoneRebalancing",
)


def _service(args: Arguments) -> dict[str, Any]:
    service = args.same(*_SETTINGS)
    if "enableEcsManagedTags" in args:
        service["enableECSManagedTags"] = args["enableEcsManagedTags"]
    if "capacityProviderStrategies" in args:
        service["capacityProviderStrategy"] = args["capacityProviderStrategies"]
    if "serviceRegistries" in args:
        service["serviceRegistries"] = [args["serviceRegistries"]]
    deployment: dict[str, Any] = {}
    if "deploymentMinimumHealthyPercent" in args:
        deployment["minimumHealthyPercent"] = args["deploymentMinimumHealthyPercent"]
    if "deploymentMaximumPercent" in args:
        deployment["maximumPercent"] = args["deploymentMaximumPercent"]
    deployment |= args.same("deploymentCircuitBreaker")
    if "alarms" in args:
        deployment["alarms"] = args["alarms"]
    if deployment:
        service["deploymentConfiguration"] = deployment
    if "networkConfiguration" in args:
        network = dict(args["networkConfiguration"])
        public = network.pop("assignPublicIp", None)
        service["networkConfiguration"] = {
            "awsvpcConfiguration": {**network, "assignPublicIp": "ENABLED" if public else "DISABLED"}
        }
    args.ignore("waitForSteadyState", "forceNewDeployment", "triggers", "forceDelete")
    return service


@creates(
    _SERVICE,
    replace_on=["name", "cluster", "launchType", "schedulingStrategy"],
    named_by="name",
    retag=retag,
)
def service(aws: Aws, args: Arguments) -> Created:
    made = aws.client("ecs").create_service(
        serviceName=args["name"],
        **args.same("cluster", "launchType", "schedulingStrategy"),
        **_service(args),
        **tags(args),
    )["service"]
    return Created(made["serviceArn"], {"arn": made["serviceArn"]})


@updates(_SERVICE)
def update_service(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("launchType", "schedulingStrategy")
    aws.client("ecs").update_service(service=args["name"], cluster=args["cluster"], **_service(args))
    return {}


@deletes(_SERVICE)
def delete_service(aws: Aws, old: ResourceState) -> None:
    aws.client("ecs").delete_service(cluster=old.inputs["cluster"], service=old.id, force=True)
