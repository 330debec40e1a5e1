"""EC2: the network."""

from typing import Any

from local.engine.arguments import Arguments, tag_list, whole
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    """Tags of any EC2 resource, by its id."""
    ec2 = aws.client("ec2")
    if gone := [{"Key": key} for key in old.tags if key not in tags]:
        ec2.delete_tags(Resources=[old.id], Tags=gone)
    if tags:
        ec2.create_tags(Resources=[old.id], Tags=tag_list(tags))


def tagged(kind: str, args: Arguments) -> dict[str, Any]:
    """The tags as creating calls of EC2 take them."""
    if not args.tags:
        return {}
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tag_list(args.tags)}]}


@creates("aws:ec2/vpc:Vpc", replace_on=["cidrBlock"], retag=retag)
def vpc(aws: Aws, args: Arguments) -> Created:
    ec2 = aws.client("ec2")
    made = ec2.create_vpc(**args.pascal("cidrBlock"), **tagged("vpc", args))["Vpc"]
    _set_dns(aws, made["VpcId"], args)
    return Created(made["VpcId"], {"arn": aws.arn("ec2", f"vpc/{made['VpcId']}"), "ownerId": aws.account})


@updates("aws:ec2/vpc:Vpc")
def update_vpc(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("cidrBlock")
    _set_dns(aws, old.id, args)
    return {}


def _set_dns(aws: Aws, vpc_id: str, args: Arguments) -> None:
    for key in ("enableDnsSupport", "enableDnsHostnames"):
        for name, value in args.pascal(key).items():
            aws.client("ec2").modify_vpc_attribute(VpcId=vpc_id, **{name: {"Value": value}})


@deletes("aws:ec2/vpc:Vpc")
def delete_vpc(aws: Aws, old: ResourceState) -> None:
    aws.client("ec2").delete_vpc(VpcId=old.id)


@creates("aws:ec2/subnet:Subnet", replace_on=["vpcId", "cidrBlock", "availabilityZone"], retag=retag)
def subnet(aws: Aws, args: Arguments) -> Created:
    made = aws.client("ec2").create_subnet(
        **args.pascal("vpcId", "cidrBlock", "availabilityZone"), **tagged("subnet", args)
    )["Subnet"]
    _set_public(aws, made["SubnetId"], args)
    return Created(
        made["SubnetId"],
        {
            "arn": made["SubnetArn"],
            "availabilityZone": made["AvailabilityZone"],
            "availabilityZoneId": made["AvailabilityZoneId"],
            "ownerId": aws.account,
        },
    )


@updates("aws:ec2/subnet:Subnet")
def update_subnet(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("vpcId", "cidrBlock", "availabilityZone")
    _set_public(aws, old.id, args)
    return {}


def _set_public(aws: Aws, subnet_id: str, args: Arguments) -> None:
    public = args.get("mapPublicIpOnLaunch")
    if public is not None:
        aws.client("ec2").modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": public})


@deletes("aws:ec2/subnet:Subnet")
def delete_subnet(aws: Aws, old: ResourceState) -> None:
    aws.client("ec2").delete_subnet(SubnetId=old.id)


@creates("aws:ec2/internetGateway:InternetGateway", replace_on=["vpcId"], retag=retag)
def internet_gateway(aws: Aws, args: Arguments) -> Created:
    ec2 = aws.client("ec2")
    made = ec2.create_internet_gateway(**tagged("internet-gateway", args))["InternetGateway"]
    gateway = made["InternetGatewayId"]
    if "vpcId" in args:
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=args["vpcId"])
    return Created(gateway, {"arn": aws.arn("ec2", f"internet-gateway/{gateway}"), "ownerId": aws.account})


@deletes("aws:ec2/internetGateway:InternetGateway")
def delete_internet_gateway(aws: Aws, old: ResourceState) -> None:
    ec2 = aws.client("ec2")
    if vpc_id := old.inputs.get("vpcId"):
        ec2.detach_internet_gateway(InternetGatewayId=old.id, VpcId=vpc_id)
    ec2.delete_internet_gateway(InternetGatewayId=old.id)


@creates("aws:ec2/eip:Eip", retag=retag)
def eip(aws: Aws, args: Arguments) -> Created:
    made = aws.client("ec2").allocate_address(**args.pascal("domain"), **tagged("elastic-ip", args))
    allocation = made["AllocationId"]
    return Created(
        allocation,
        {
            "allocationId": allocation,
            "publicIp": made["PublicIp"],
            "arn": aws.arn("ec2", f"elastic-ip/{allocation}"),
        },
    )


@deletes("aws:ec2/eip:Eip")
def delete_eip(aws: Aws, old: ResourceState) -> None:
    aws.client("ec2").release_address(AllocationId=old.id)


@creates("aws:ec2/natGateway:NatGateway", replace_on=["allocationId", "subnetId"], retag=retag)
def nat_gateway(aws: Aws, args: Arguments) -> Created:
    made = aws.client("ec2").create_nat_gateway(
        **args.pascal("allocationId", "subnetId", "connectivityType"), **tagged("natgateway", args)
    )["NatGateway"]
    return Created(made["NatGatewayId"])


@deletes("aws:ec2/natGateway:NatGateway")
def delete_nat_gateway(aws: Aws, old: ResourceState) -> None:
    aws.client("ec2").delete_nat_gateway(NatGatewayId=old.id)


@creates("aws:ec2/flowLog:FlowLog", retag=retag)
def flow_log(aws: Aws, args: Arguments) -> Created:
    for key, kind in (("vpcId", "VPC"), ("subnetId", "Subnet"), ("eniId", "NetworkInterface")):
        if key in args:
            target = {"ResourceIds": [args[key]], "ResourceType": kind}
    options = {}
    if "iamRoleArn" in args:
        options["DeliverLogsPermissionArn"] = args["iamRoleArn"]
    made = aws.client("ec2").create_flow_logs(
        **target,
        **options,
        **args.pascal("logDestination", "logDestinationType", "trafficType", "logFormat"),
        **{key: whole(value) for key, value in args.pascal("maxAggregationInterval").items()},
        **tagged("vpc-flow-log", args),
    )
    if made.get("Unsuccessful"):
        raise RuntimeError(made["Unsuccessful"][0]["Error"]["Message"])
    log = made["FlowLogIds"][0]
    return Created(log, {"arn": aws.arn("ec2", f"vpc-flow-log/{log}")})


@deletes("aws:ec2/flowLog:FlowLog")
def delete_flow_log(aws: Aws, old: ResourceState) -> None:
    aws.client("ec2").delete_flow_logs(FlowLogIds=[old.id])
