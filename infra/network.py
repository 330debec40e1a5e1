"""The VPC: public subnets for the load balancer and NAT, private ones for everything that runs."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import pulumi_aws as aws
from pulumi import ComponentResource, CustomResource, Output, ResourceOptions

from infra.ordering import once

INTERNET = "0.0.0.0/0"


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """`cidr` is a /16; zones are full names, such as us-east-1a."""

    name: str
    region: str
    cidr: str
    zones: Sequence[str]
    private_prefix: int
    nat_per_zone: bool


class Network(ComponentResource):
    """A VPC over two or three zones, with NAT and the gateway endpoints that keep S3 and DynamoDB off it."""

    vpc_id: Output[str]
    public_subnet_ids: list[Output[str]]
    private_subnet_ids: list[Output[str]]
    nat_gateway_ids: list[Output[str]]

    def __init__(self, name: str, args: NetworkArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:network:Network", name, {}, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        self._vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.cidr,
            enable_dns_hostnames=True,  # private DNS and interface endpoints need both
            enable_dns_support=True,
            tags={"Name": args.name},
            opts=self._child,
        )
        # Adopted so that it allows nothing: a resource without a security group of its own gets this one.
        aws.ec2.DefaultSecurityGroup(f"{name}-default", vpc_id=self._vpc.id, opts=self._child)
        self.vpc_id = self._vpc.id
        self.nat_gateway_ids = []
        public, private = _plan(args)
        self.public_subnet_ids = self._public_subnets(public)
        self.private_subnet_ids, tables = self._private_subnets(private)
        self._gateway_endpoints(tables)
        self.register_outputs({"vpc_id": self.vpc_id})

    def _public_subnets(self, cidrs: Sequence[str]) -> list[Output[str]]:
        gateway = aws.ec2.InternetGateway(
            f"{self._name}-internet",
            vpc_id=self.vpc_id,
            tags={"Name": self._args.name},
            opts=self._child,
        )
        table = self._route_table("public")
        route = aws.ec2.Route(
            f"{self._name}-public-internet",
            route_table_id=table.id,
            destination_cidr_block=INTERNET,
            gateway_id=gateway.id,
            opts=self._child,
        )
        return [
            self._subnet("public", zone, cidr, table, route)
            for zone, cidr in zip(self._args.zones, cidrs, strict=True)
        ]

    def _private_subnets(self, cidrs: Sequence[str]) -> tuple[list[Output[str]], list[aws.ec2.RouteTable]]:
        subnets, tables = [], []
        nat: aws.ec2.NatGateway | None = None
        for index, (zone, cidr) in enumerate(zip(self._args.zones, cidrs, strict=True)):
            if nat is None or self._args.nat_per_zone:
                nat = self._nat_gateway(zone, self.public_subnet_ids[index])
            table = self._route_table(f"private-{_letter(zone)}")
            route = aws.ec2.Route(
                f"{self._name}-private-{_letter(zone)}-internet",
                route_table_id=table.id,
                destination_cidr_block=INTERNET,
                nat_gateway_id=nat.id,
                opts=self._child,
            )
            subnets.append(self._subnet("private", zone, cidr, table, route))
            tables.append(table)
        return subnets, tables

    def _route_table(self, suffix: str) -> aws.ec2.RouteTable:
        return aws.ec2.RouteTable(
            f"{self._name}-{suffix}",
            vpc_id=self.vpc_id,
            tags={"Name": f"{self._args.name}-{suffix}"},
            opts=self._child,
        )

    def _subnet(
        self, kind: str, zone: str, cidr: str, table: aws.ec2.RouteTable, route: CustomResource
    ) -> Output[str]:
        suffix = f"{kind}-{_letter(zone)}"
        subnet = aws.ec2.Subnet(
            f"{self._name}-{suffix}",
            vpc_id=self.vpc_id,
            cidr_block=cidr,
            availability_zone=zone,
            map_public_ip_on_launch=False,  # the load balancer and NAT bring their own addresses
            tags={"Name": f"{self._args.name}-{suffix}"},
            opts=self._child,
        )
        association = aws.ec2.RouteTableAssociation(
            f"{self._name}-{suffix}",
            subnet_id=subnet.id,
            route_table_id=table.id,
            opts=self._child,
        )
        # A task that starts before its way out is there cannot pull its image.
        return once(subnet.id, association, route)

    def _nat_gateway(self, zone: str, subnet_id: Output[str]) -> aws.ec2.NatGateway:
        name = f"{self._name}-nat-{_letter(zone)}"
        tags = {"Name": f"{self._args.name}-nat-{_letter(zone)}"}
        address = aws.ec2.Eip(name, domain="vpc", tags=tags, opts=self._child)
        gateway = aws.ec2.NatGateway(
            name, allocation_id=address.id, subnet_id=subnet_id, tags=tags, opts=self._child
        )
        self.nat_gateway_ids.append(gateway.id)
        return gateway

    def _gateway_endpoints(self, tables: Sequence[aws.ec2.RouteTable]) -> None:
        for service in ("s3", "dynamodb"):
            aws.ec2.VpcEndpoint(
                f"{self._name}-{service}",
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{self._args.region}.{service}",
                vpc_endpoint_type="Gateway",
                route_table_ids=[table.id for table in tables],
                tags={"Name": f"{self._args.name}-{service}"},
                opts=self._child,
            )


def _plan(args: NetworkArgs) -> tuple[list[str], list[str]]:
    """Public and private subnets' ranges: /24s from the lower half of the VPC, the rest from the upper."""
    lower, upper = ipaddress.IPv4Network(args.cidr).subnets(new_prefix=17)
    count = len(args.zones)
    public = islice(lower.subnets(new_prefix=24), count)
    private = islice(upper.subnets(new_prefix=args.private_prefix), count)
    return [str(cidr) for cidr in public], [str(cidr) for cidr in private]


def _letter(zone: str) -> str:
    return zone[-1]
