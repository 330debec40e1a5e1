"""EC2 and load balancing."""

from typing import Any

from local.engine.aws import Aws
from local.engine.state import ResourceState
from tests.local.engine.described.reading import camel, pairs, reads


def _one(aws: Aws, operation: str, key: str, **filters: Any) -> dict[str, Any]:
    answer = getattr(aws.client("ec2"), operation)(**filters)
    assert len(answer[key]) == 1, f"{operation} describes {len(answer[key])} of {filters}"
    found = dict(answer[key][0])
    return {**camel(found), "tags": pairs(found.get("Tags", []))}


@reads("aws:ec2/vpc:Vpc")
def vpc(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = _one(aws, "describe_vpcs", "Vpcs", VpcIds=[state.id])
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        answer = aws.client("ec2").describe_vpc_attribute(VpcId=state.id, Attribute=attribute)
        found[attribute] = answer[attribute[:1].upper() + attribute[1:]]["Value"]
    return found


@reads("aws:ec2/subnet:Subnet")
def subnet(aws: Aws, state: ResourceState) -> dict[str, Any]:
    return _one(aws, "describe_subnets", "Subnets", SubnetIds=[state.id])


@reads("aws:ec2/internetGateway:InternetGateway")
def internet_gateway(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = _one(aws, "describe_internet_gateways", "InternetGateways", InternetGatewayIds=[state.id])
    return {**found, "vpcId": found["attachments"][0]["vpcId"]}


@reads("aws:ec2/eip:Eip")
def eip(aws: Aws, state: ResourceState) -> dict[str, Any]:
    return _one(aws, "describe_addresses", "Addresses", AllocationIds=[state.id])


@reads("aws:ec2/natGateway:NatGateway")
def nat_gateway(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = _one(aws, "describe_nat_gateways", "NatGateways", NatGatewayIds=[state.id])
    return {**found, "allocationId": found["natGatewayAddresses"][0]["allocationId"]}


@reads("aws:ec2/flowLog:FlowLog")
def flow_log(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = _one(aws, "describe_flow_logs", "FlowLogs", FlowLogIds=[state.id])
    return {
        **found,
        "vpcId": found["resourceId"],
        "iamRoleArn": found["deliverLogsPermissionArn"],
        "logDestination": found.get("logDestination"),
    }


@reads("aws:ec2/routeTable:RouteTable")
def route_table(aws: Aws, state: ResourceState) -> dict[str, Any]:
    return _one(aws, "describe_route_tables", "RouteTables", RouteTableIds=[state.id])


@reads("aws:ec2/route:Route")
def route(aws: Aws, state: ResourceState) -> dict[str, Any]:
    table = state.inputs["routeTableId"]
    found = _one(aws, "describe_route_tables", "RouteTables", RouteTableIds=[table])
    destination = state.inputs["destinationCidrBlock"]
    matching = [r for r in found["routes"] if r.get("destinationCidrBlock") == destination]
    assert len(matching) == 1
    return {**matching[0], "routeTableId": table}


@reads("aws:ec2/routeTableAssociation:RouteTableAssociation")
def association(aws: Aws, state: ResourceState) -> dict[str, Any]:
    filters = [{"Name": "association.route-table-association-id", "Values": [state.id]}]
    found = _one(aws, "describe_route_tables", "RouteTables", Filters=filters)
    return next(dict(a) for a in found["associations"] if a["routeTableAssociationId"] == state.id)


@reads("aws:ec2/vpcEndpoint:VpcEndpoint")
def vpc_endpoint(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = _one(aws, "describe_vpc_endpoints", "VpcEndpoints", VpcEndpointIds=[state.id])
    groups = [group["groupId"] for group in found.get("groups", [])]
    return {**found, "securityGroupIds": groups, "policy": found.get("policyDocument")}


@reads("aws:ec2/securityGroup:SecurityGroup")
def security_group(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = _one(aws, "describe_security_groups", "SecurityGroups", GroupIds=[state.id])
    return {**found, "name": found["groupName"]}


@reads("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
def default_security_group(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = security_group(aws, state)
    assert (found["name"], found["ipPermissions"], found["ipPermissionsEgress"]) == ("default", [], [])
    return found


@reads(
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
)
def security_group_rule(aws: Aws, state: ResourceState) -> dict[str, Any]:
    rules = "SecurityGroupRules"
    found = _one(aws, "describe_security_group_rules", rules, SecurityGroupRuleIds=[state.id])
    assert found["isEgress"] == ("Egress" in state.type)
    # moto writes -1 where AWS has no port, which is the provider's "not set".
    return {
        **found,
        "securityGroupId": found["groupId"],
        "referencedSecurityGroupId": found.get("referencedGroupInfo", {}).get("groupId"),
    }


_ATTRIBUTES = {
    "idleTimeout": "idle_timeout.timeout_seconds",
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
    "enableDeletionProtection": "deletion_protection.enabled",
    "enableHttp2": "routing.http2.enabled",
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
}


def _attributes(answer: dict[str, Any]) -> dict[str, Any]:
    given = pairs(answer["Attributes"])
    found: dict[str, Any] = {key: _value(given.get(name)) for key, name in _ATTRIBUTES.items()}
    found["accessLogs"] = {
        "bucket": given.get("access_logs.s3.bucket"),
        "enabled": _value(given.get("access_logs.s3.enabled")),
    }
    return found


def _value(text: str | None) -> object:
    return {"true": True, "false": False}.get(text or "", int(text) if text and text.isdigit() else text)


def _elb_tags(aws: Aws, state: ResourceState) -> dict[str, str]:
    answer = aws.client("elbv2").describe_tags(ResourceArns=[state.id])
    return pairs(answer["TagDescriptions"][0]["Tags"])


@reads("aws:lb/loadBalancer:LoadBalancer")
def load_balancer(aws: Aws, state: ResourceState) -> dict[str, Any]:
    elb = aws.client("elbv2")
    found = camel(elb.describe_load_balancers(LoadBalancerArns=[state.id])["LoadBalancers"][0])
    return {
        **_attributes(elb.describe_load_balancer_attributes(LoadBalancerArn=state.id)),
        "name": found["loadBalancerName"],
        "internal": found["scheme"] == "internal",
        "loadBalancerType": found["type"],
        "subnets": [zone["subnetId"] for zone in found["availabilityZones"]],
        "securityGroups": found["securityGroups"],
        "tags": _elb_tags(aws, state),
    }


@reads("aws:lb/targetGroup:TargetGroup")
def target_group(aws: Aws, state: ResourceState) -> dict[str, Any]:
    elb = aws.client("elbv2")
    found = camel(elb.describe_target_groups(TargetGroupArns=[state.id])["TargetGroups"][0])
    return {
        **found,
        **_attributes(elb.describe_target_group_attributes(TargetGroupArn=state.id)),
        "name": found["targetGroupName"],
        "healthCheck": {
            "path": found["healthCheckPath"],
            "interval": found["healthCheckIntervalSeconds"],
            "timeout": found["healthCheckTimeoutSeconds"],
            "healthyThreshold": found["healthyThresholdCount"],
            "unhealthyThreshold": found["unhealthyThresholdCount"],
            "protocol": found["healthCheckProtocol"],
            "matcher": found["matcher"]["httpCode"],
        },
        "tags": _elb_tags(aws, state),
    }


@reads("aws:lb/listener:Listener")
def listener(aws: Aws, state: ResourceState) -> dict[str, Any]:
    elb = aws.client("elbv2")
    found = camel(elb.describe_listeners(ListenerArns=[state.id])["Listeners"][0])
    for action in found["defaultActions"]:
        action["redirect"] = action.pop("redirectConfig", None)
    certificates = found.get("certificates") or [{}]
    return {
        **found,
        "certificateArn": certificates[0].get("certificateArn"),
        "tags": _elb_tags(aws, state),
    }


@reads("aws:route53/record:Record")
def record(aws: Aws, state: ResourceState) -> dict[str, Any]:
    zone = state.inputs["zoneId"]
    found = aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    one = next(
        r
        for r in found
        if r["Name"].rstrip(".") == state.inputs["name"] and r["Type"] == state.inputs["type"]
    )
    alias = one["AliasTarget"]
    return {
        "zoneId": zone,
        "name": one["Name"].rstrip("."),
        "type": one["Type"],
        "aliases": [
            {
                "name": alias["DNSName"].rstrip("."),
                "zoneId": alias["HostedZoneId"],
                "evaluateTargetHealth": alias["EvaluateTargetHealth"],
            }
        ],
    }
