"""The ECS cluster, and the private DNS namespace in which workers find the control plane."""

from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from outpost.names import CONTROL_PLANE_CONTAINER, Names

DNS_TTL = 10  # seconds a worker may keep an address of a replica that has gone


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """The namespace lives in the VPC."""

    names: Names
    vpc_id: Input[str]


class Cluster(ComponentResource):
    """A cluster on Fargate and Fargate Spot, with container insights."""

    arn: Output[str]
    cluster_name: Output[str]
    registry_arn: Output[str]
    control_plane_host: str

    def __init__(self, name: str, args: ClusterArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:compute:Cluster", name, {}, opts)
        child = ResourceOptions(parent=self)
        cluster = aws.ecs.Cluster(
            name,
            name=args.names.cluster,
            settings=[aws.ecs.ClusterSettingArgs(name="containerInsights", value="enabled")],
            opts=child,
        )
        aws.ecs.ClusterCapacityProviders(
            name,
            cluster_name=cluster.name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            # Spot may take a task away with two minutes' notice; an agent's work is not repeated.
            default_capacity_provider_strategies=[
                aws.ecs.ClusterCapacityProvidersDefaultCapacityProviderStrategyArgs(
                    capacity_provider="FARGATE", base=1, weight=1
                )
            ],
            opts=child,
        )
        namespace = aws.servicediscovery.PrivateDnsNamespace(
            name,
            name=args.names.namespace,
            description="Where workers find the control plane",
            vpc=args.vpc_id,
            opts=child,
        )
        registry = aws.servicediscovery.Service(
            name,
            name=CONTROL_PLANE_CONTAINER,
            dns_config=aws.servicediscovery.ServiceDnsConfigArgs(
                namespace_id=namespace.id,
                routing_policy="MULTIVALUE",
                dns_records=[aws.servicediscovery.ServiceDnsConfigDnsRecordArgs(type="A", ttl=DNS_TTL)],
            ),
            opts=child,
        )
        self.arn, self.cluster_name, self.registry_arn = cluster.arn, cluster.name, registry.arn
        self.control_plane_host = f"{CONTROL_PLANE_CONTAINER}.{args.names.namespace}"
        self.register_outputs({"arn": self.arn})
