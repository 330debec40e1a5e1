"""Interface endpoints: AWS's APIs inside the VPC, so that what tasks say to them does not go through NAT."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, ResourceOptions

from infra.firewall import HTTPS
from outpost.names import Names

# What the tasks and Fargate itself call. S3 and DynamoDB have gateway endpoints (infra/network.py).
SERVICES = ("ecr.api", "ecr.dkr", "ecs", "logs", "secretsmanager", "sqs")


@dataclass(frozen=True, kw_only=True)
class EndpointsArgs:
    """`callers` are the security groups of those who call AWS, by name."""

    names: Names
    region: str
    vpc_id: Input[str]
    subnet_ids: Sequence[Input[str]]
    callers: Mapping[str, Input[str]]


class Endpoints(ComponentResource):
    """One endpoint for each service, in every private subnet, under the service's usual name."""

    def __init__(self, name: str, args: EndpointsArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:network:Endpoints", name, {}, opts)
        child = ResourceOptions(parent=self)
        group = aws.ec2.SecurityGroup(
            name,
            name=args.names.endpoint_security_group,
            description="Outpost: AWS endpoints",
            vpc_id=args.vpc_id,
            tags={"Name": args.names.endpoint_security_group},
            opts=child,
        )
        for caller, caller_group in args.callers.items():
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-from-{caller}",
                security_group_id=group.id,
                ip_protocol="tcp",
                from_port=HTTPS,
                to_port=HTTPS,
                referenced_security_group_id=caller_group,
                description=f"from {caller}",
                opts=child,
            )
        for service in SERVICES:
            aws.ec2.VpcEndpoint(
                f"{name}-{service.replace('.', '-')}",
                vpc_id=args.vpc_id,
                service_name=f"com.amazonaws.{args.region}.{service}",
                vpc_endpoint_type="Interface",
                subnet_ids=args.subnet_ids,
                security_group_ids=[group.id],
                private_dns_enabled=True,
                tags={"Name": f"{args.names.cluster}-{service}"},
                opts=child,
            )
        self.register_outputs({})
