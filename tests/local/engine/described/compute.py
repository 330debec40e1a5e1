"""ECS, ECR, scaling, service discovery."""

import json
from typing import Any

from local.engine.aws import Aws
from local.engine.state import ResourceState
from tests.local.engine.described.reading import camel, pairs, reads


@reads("aws:ecs/cluster:Cluster")
def cluster(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("ecs").describe_clusters(clusters=[state.id], include=["TAGS", "SETTINGS"])
    one = found["clusters"][0]
    return {**one, "name": one["clusterName"], "tags": pairs(one["tags"], "key", "value")}


@reads("aws:ecs/clusterCapacityProviders:ClusterCapacityProviders")
def capacity_providers(aws: Aws, state: ResourceState) -> dict[str, Any]:
    one = aws.client("ecs").describe_clusters(clusters=[state.id])["clusters"][0]
    return {
        "clusterName": one["clusterName"],
        "capacityProviders": one["capacityProviders"],
        "defaultCapacityProviderStrategies": one["defaultCapacityProviderStrategy"],
    }


@reads("aws:ecs/taskDefinition:TaskDefinition")
def task_definition(aws: Aws, state: ResourceState) -> dict[str, Any]:
    answer = aws.client("ecs").describe_task_definition(taskDefinition=state.outputs["arn"], include=["TAGS"])
    found = answer["taskDefinition"]
    storage = found.get("ephemeralStorage", {}).get("sizeInGiB")
    return {
        **found,
        "containerDefinitions": json.dumps(found["containerDefinitions"]),
        "ephemeralStorage": {"sizeInGib": storage},
        "tags": pairs(answer.get("tags", []), "key", "value"),
    }


@reads("aws:ecs/service:Service")
def service(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("ecs").describe_services(
        cluster=state.inputs["cluster"], services=[state.inputs["name"]], include=["TAGS"]
    )["services"][0]
    deployment = found["deploymentConfiguration"]
    network = found["networkConfiguration"]["awsvpcConfiguration"]
    registries = found.get("serviceRegistries") or [None]
    return {
        **found,
        "name": found["serviceName"],
        "cluster": found["clusterArn"],
        "deploymentCircuitBreaker": deployment["deploymentCircuitBreaker"],
        "deploymentMaximumPercent": deployment["maximumPercent"],
        "deploymentMinimumHealthyPercent": deployment["minimumHealthyPercent"],
        "enableEcsManagedTags": found.get("enableECSManagedTags"),
        "networkConfiguration": {**network, "assignPublicIp": network["assignPublicIp"] == "ENABLED"},
        "serviceRegistries": registries[0],
        "tags": pairs(found.get("tags", []), "key", "value"),
    }


@reads("aws:ecr/repository:Repository")
def repository(aws: Aws, state: ResourceState) -> dict[str, Any]:
    ecr = aws.client("ecr")
    found = ecr.describe_repositories(repositoryNames=[state.id])["repositories"][0]
    tags = ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
    return {
        **found,
        "name": found["repositoryName"],
        "encryptionConfigurations": [found["encryptionConfiguration"]],
        "tags": pairs(tags),
    }


@reads("aws:ecr/lifecyclePolicy:LifecyclePolicy")
def lifecycle_policy(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("ecr").get_lifecycle_policy(repositoryName=state.id)
    return {"repository": found["repositoryName"], "policy": found["lifecyclePolicyText"]}


@reads("aws:appautoscaling/target:Target")
def scaling_target(aws: Aws, state: ResourceState) -> dict[str, Any]:
    scaling = aws.client("application-autoscaling")
    found = scaling.describe_scalable_targets(
        ServiceNamespace=state.inputs["serviceNamespace"],
        ResourceIds=[state.inputs["resourceId"]],
        ScalableDimension=state.inputs["scalableDimension"],
    )["ScalableTargets"]
    assert len(found) == 1
    return dict(camel(found[0]))


@reads("aws:appautoscaling/policy:Policy")
def scaling_policy(aws: Aws, state: ResourceState) -> dict[str, Any]:
    scaling = aws.client("application-autoscaling")
    found = scaling.describe_scaling_policies(
        PolicyNames=[state.id],
        ServiceNamespace=state.inputs["serviceNamespace"],
        ResourceId=state.inputs["resourceId"],
        ScalableDimension=state.inputs["scalableDimension"],
    )["ScalingPolicies"]
    assert len(found) == 1
    return {**camel(found[0]), "name": found[0]["PolicyName"]}


def _discovery_tags(aws: Aws, arn: str) -> dict[str, str]:
    return pairs(aws.client("servicediscovery").list_tags_for_resource(ResourceARN=arn)["Tags"])


@reads("aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace")
def namespace(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = camel(aws.client("servicediscovery").get_namespace(Id=state.id)["Namespace"])
    assert found["type"] == "DNS_PRIVATE"
    # Cloud Map tells the VPC only by the hosted zone that it made.
    zone = aws.client("route53").get_hosted_zone(Id=found["properties"]["dnsProperties"]["hostedZoneId"])
    return {**found, "vpc": zone["VPCs"][0]["VPCId"], "tags": _discovery_tags(aws, found["arn"])}


@reads("aws:servicediscovery/service:Service")
def discovery_service(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = camel(aws.client("servicediscovery").get_service(Id=state.id)["Service"])
    for record in found["dnsConfig"]["dnsRecords"]:
        record["ttl"] = record.pop("tTL")
    return {**found, "tags": _discovery_tags(aws, found["arn"])}
