"""EC2: security groups and their rules."""

from typing import Any, Literal

from local.engine.arguments import Arguments, whole
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.resources.ec2 import retag, tagged
from local.engine.state import ResourceState

_GROUP = "aws:ec2/securityGroup:SecurityGroup"
_DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
_INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
_EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
_DESCRIPTION = "Managed by Pulumi"  # the provider's default


@creates(_GROUP, replace_on=["name", "description", "vpcId"], named_by="name", retag=retag)
def security_group(aws: Aws, args: Arguments) -> Created:
    ec2 = aws.client("ec2")
    made = ec2.create_security_group(
        GroupName=args["name"],
        Description=args.get("description", _DESCRIPTION),
        **args.pascal("vpcId"),
        **tagged("security-group", args),
    )
    group = made["GroupId"]
    args.ignore("revokeRulesOnDelete")
    # AWS opens all egress in a new group; the provider closes it, so that only declared rules are there.
    _empty(aws, group)
    return Created(group, {"arn": aws.arn("ec2", f"security-group/{group}"), "ownerId": aws.account})


@updates(_GROUP)
def update_security_group(_: Aws, __: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("name", "description", "vpcId", "revokeRulesOnDelete")
    return {}


@deletes(_GROUP)
def delete_security_group(aws: Aws, old: ResourceState) -> None:
    aws.client("ec2").delete_security_group(GroupId=old.id)


@creates(_DEFAULT_GROUP, retag=retag)
def default_security_group(aws: Aws, args: Arguments) -> Created:
    """Takes over the group that every VPC has, and empties it. It goes with its VPC."""
    ec2 = aws.client("ec2")
    filters = [
        {"Name": "vpc-id", "Values": [args["vpcId"]]},
        {"Name": "group-name", "Values": ["default"]},
    ]
    group = ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    _empty(aws, group)
    if args.tags:
        ec2.create_tags(Resources=[group], Tags=[{"Key": k, "Value": v} for k, v in args.tags.items()])
    return Created(group, {"arn": aws.arn("ec2", f"security-group/{group}"), "ownerId": aws.account})


def _empty(aws: Aws, group: str) -> None:
    ec2 = aws.client("ec2")
    found = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    if found["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=found["IpPermissions"])
    if found["IpPermissionsEgress"]:
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=found["IpPermissionsEgress"])


@creates(_INGRESS, replace_on=["securityGroupId"], retag=retag)
def ingress_rule(aws: Aws, args: Arguments) -> Created:
    return _authorize(aws, args, "ingress")


@creates(_EGRESS, replace_on=["securityGroupId"], retag=retag)
def egress_rule(aws: Aws, args: Arguments) -> Created:
    return _authorize(aws, args, "egress")


def _authorize(aws: Aws, args: Arguments, direction: Literal["ingress", "egress"]) -> Created:
    ec2 = aws.client("ec2")
    authorize = getattr(ec2, f"authorize_security_group_{direction}")
    made = authorize(
        GroupId=args["securityGroupId"],
        IpPermissions=[_permission(args)],
        **tagged("security-group-rule", args),
    )
    rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    arn = aws.arn("ec2", f"security-group-rule/{rule}")
    return Created(rule, {"arn": arn, "securityGroupRuleId": rule})


def _permission(args: Arguments) -> dict[str, Any]:
    described = {"Description": args["description"]} if "description" in args else {}
    permission: dict[str, Any] = {"IpProtocol": args["ipProtocol"]}
    permission |= {key: whole(value) for key, value in args.pascal("fromPort", "toPort").items()}
    if "cidrIpv4" in args:
        permission["IpRanges"] = [{"CidrIp": args["cidrIpv4"], **described}]
    elif "cidrIpv6" in args:
        permission["Ipv6Ranges"] = [{"CidrIpv6": args["cidrIpv6"], **described}]
    elif "prefixListId" in args:
        permission["PrefixListIds"] = [{"PrefixListId": args["prefixListId"], **described}]
    else:
        permission["UserIdGroupPairs"] = [{"GroupId": args["referencedSecurityGroupId"], **described}]
    return permission


@updates(_INGRESS)
@updates(_EGRESS)
def update_rule(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    """In place, by the rule's id, as the provider does."""
    rule = {"IpProtocol": args["ipProtocol"], **args.pascal("fromPort", "toPort", "description")}
    rule |= args.pascal("cidrIpv4", "cidrIpv6", "prefixListId")
    if "referencedSecurityGroupId" in args:
        rule["ReferencedGroupId"] = args["referencedSecurityGroupId"]
    aws.client("ec2").modify_security_group_rules(
        GroupId=args["securityGroupId"],
        SecurityGroupRules=[{"SecurityGroupRuleId": old.id, "SecurityGroupRule": rule}],
    )
    return {}


@deletes(_INGRESS)
def delete_ingress_rule(aws: Aws, old: ResourceState) -> None:
    aws.client("ec2").revoke_security_group_ingress(
        GroupId=old.inputs["securityGroupId"], SecurityGroupRuleIds=[old.id]
    )


@deletes(_EGRESS)
def delete_egress_rule(aws: Aws, old: ResourceState) -> None:
    aws.client("ec2").revoke_security_group_egress(
        GroupId=old.inputs["securityGroupId"], SecurityGroupRuleIds=[old.id]
    )
