"""EC2: route tables and VPC endpoints."""

from typing import Any

from local.engine.arguments import Arguments
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.resources.ec2 import retag, tagged
from local.engine.state import ResourceState


@creates("aws:ec2/routeTable:RouteTable", replace_on=["vpcId"], retag=retag)
def route_table(aws: Aws, args: Arguments) -> Created:
    made = aws.client("ec2").create_route_table(**args.pascal("vpcId"), **tagged("route-table", args))
    table = made["RouteTable"]["RouteTableId"]
    return Created(table, {"arn": aws.arn("ec2", f"route-table/{table}"), "ownerId": aws.account})


@deletes("aws:ec2/routeTable:RouteTable")
def delete_route_table(aws: Aws, old: ResourceState) -> None:
    aws.client("ec2").delete_route_table(RouteTableId=old.id)


_TARGETS = ("gatewayId", "natGatewayId", "networkInterfaceId", "transitGatewayId", "vpcPeeringConnectionId")


@creates("aws:ec2/route:Route", replace_on=["routeTableId", "destinationCidrBlock"], named_by="routeTableId")
def route(aws: Aws, args: Arguments) -> Created:
    aws.client("ec2").create_route(**args.pascal("routeTableId", "destinationCidrBlock", *_TARGETS))
    # The provider makes the id of a hash of the destination; only its uniqueness matters.
    return Created(f"r-{args['routeTableId']}-{args['destinationCidrBlock']}", {"state": "active"})


@updates("aws:ec2/route:Route")
def update_route(aws: Aws, _: ResourceState, args: Arguments) -> dict[str, Any]:
    aws.client("ec2").replace_route(**args.pascal("routeTableId", "destinationCidrBlock", *_TARGETS))
    return {}


@deletes("aws:ec2/route:Route")
def delete_route(aws: Aws, old: ResourceState) -> None:
    aws.client("ec2").delete_route(
        RouteTableId=old.inputs["routeTableId"], DestinationCidrBlock=old.inputs["destinationCidrBlock"]
    )


@creates("aws:ec2/routeTableAssociation:RouteTableAssociation", named_by="subnetId")
def route_table_association(aws: Aws, args: Arguments) -> Created:
    made = aws.client("ec2").associate_route_table(**args.pascal("routeTableId", "subnetId", "gatewayId"))
    return Created(made["AssociationId"])


@deletes("aws:ec2/routeTableAssociation:RouteTableAssociation")
def delete_route_table_association(aws: Aws, old: ResourceState) -> None:
    aws.client("ec2").disassociate_route_table(AssociationId=old.id)


_SETTINGS = ("privateDnsEnabled", "routeTableIds", "subnetIds", "securityGroupIds")


@creates(
    "aws:ec2/vpcEndpoint:VpcEndpoint", replace_on=["vpcId", "serviceName", "vpcEndpointType"], retag=retag
)
def vpc_endpoint(aws: Aws, args: Arguments) -> Created:
    document = {"PolicyDocument": args["policy"]} if "policy" in args else {}
    made = aws.client("ec2").create_vpc_endpoint(
        **args.pascal("vpcId", "serviceName", "vpcEndpointType", *_SETTINGS),
        **document,
        **tagged("vpc-endpoint", args),
    )["VpcEndpoint"]
    endpoint = made["VpcEndpointId"]
    return Created(
        endpoint,
        {
            "arn": aws.arn("ec2", f"vpc-endpoint/{endpoint}"),
            "ownerId": aws.account,
            "state": "available",
            "dnsEntries": [
                {"dnsName": entry.get("DnsName"), "hostedZoneId": entry.get("HostedZoneId")}
                for entry in made.get("DnsEntries", [])
            ],
        },
    )


@updates("aws:ec2/vpcEndpoint:VpcEndpoint")
def update_vpc_endpoint(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("vpcId", "serviceName", "vpcEndpointType")
    changes: dict[str, Any] = args.pascal("privateDnsEnabled")
    changes |= {"PolicyDocument": args["policy"]} if "policy" in args else {"ResetPolicy": True}
    for key in ("routeTableIds", "subnetIds", "securityGroupIds"):
        wanted, had = set(args.get(key, [])), set(old.inputs.get(key) or [])
        name = key[:1].upper() + key[1:]
        changes |= {f"Add{name}": sorted(wanted - had)} if wanted - had else {}
        changes |= {f"Remove{name}": sorted(had - wanted)} if had - wanted else {}
    aws.client("ec2").modify_vpc_endpoint(VpcEndpointId=old.id, **changes)
    return {}


@deletes("aws:ec2/vpcEndpoint:VpcEndpoint")
def delete_vpc_endpoint(aws: Aws, old: ResourceState) -> None:
    aws.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[old.id])
