"""Elastic Load Balancing: the application load balancer."""

from collections.abc import Mapping
from typing import Any

from local.engine.arguments import Arguments, pascal, tag_list
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState

_BALANCER = "aws:lb/loadBalancer:LoadBalancer"
_GROUP = "aws:lb/targetGroup:TargetGroup"
_LISTENER = "aws:lb/listener:Listener"


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    elb = aws.client("elbv2")
    if gone := [key for key in old.tags if key not in tags]:
        elb.remove_tags(ResourceArns=[old.outputs["arn"]], TagKeys=gone)
    if tags:
        elb.add_tags(ResourceArns=[old.outputs["arn"]], Tags=tag_list(tags))


# Arguments that the API has as attributes, which it takes as text.
_BALANCER_ATTRIBUTES = {
    "idleTimeout": "idle_timeout.timeout_seconds",
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
    "enableDeletionProtection": "deletion_protection.enabled",
    "enableHttp2": "routing.http2.enabled",
    "desyncMitigationMode": "routing.http.desync_mitigation_mode",
    "preserveHostHeader": "routing.http.preserve_host_header.enabled",
    "enableXffClientPort": "routing.http.xff_client_port.enabled",
    "xffHeaderProcessingMode": "routing.http.xff_header_processing.mode",
    "enableCrossZoneLoadBalancing": "load_balancing.cross_zone.enabled",
    "clientKeepAlive": "client_keep_alive.seconds",
}
_GROUP_ATTRIBUTES = {
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
    "slowStart": "slow_start.duration_seconds",
    "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
}


def _attributes(args: Arguments, names: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": names[key], "Value": _text(args[key])} for key in names if key in args]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@creates(_BALANCER, replace_on=["name", "internal", "loadBalancerType"], named_by="name", retag=retag)
def load_balancer(aws: Aws, args: Arguments) -> Created:
    internal = args.get("internal", False)
    made = aws.client("elbv2").create_load_balancer(
        **args.pascal("name", "subnets", "securityGroups", "ipAddressType"),
        Type=args.get("loadBalancerType", "application"),
        Scheme="internal" if internal else "internet-facing",
        Tags=tag_list(args.tags),
    )["LoadBalancers"][0]
    arn = made["LoadBalancerArn"]
    _set_balancer(aws, arn, args)
    return Created(
        arn,
        {
            "arn": arn,
            "arnSuffix": arn.partition(":loadbalancer/")[2],
            "dnsName": made["DNSName"],
            "zoneId": made["CanonicalHostedZoneId"],
            "vpcId": made["VpcId"],
        },
    )


@updates(_BALANCER)
def update_load_balancer(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    elb = aws.client("elbv2")
    args.ignore("name", "internal", "loadBalancerType", "ipAddressType")
    if args.get("securityGroups") != old.inputs.get("securityGroups"):
        elb.set_security_groups(LoadBalancerArn=old.id, **args.pascal("securityGroups"))
    if args.get("subnets") != old.inputs.get("subnets"):
        elb.set_subnets(LoadBalancerArn=old.id, **args.pascal("subnets"))
    _set_balancer(aws, old.id, args)
    return {}


def _set_balancer(aws: Aws, arn: str, args: Arguments) -> None:
    attributes = _attributes(args, _BALANCER_ATTRIBUTES)
    for key, name in (("accessLogs", "access_logs.s3"), ("connectionLogs", "connection_logs.s3")):
        for inner, value in args.get(key, {}).items():
            attributes.append({"Key": f"{name}.{inner}", "Value": _text(value)})
    if attributes:
        aws.client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)


@deletes(_BALANCER)
def delete_load_balancer(aws: Aws, old: ResourceState) -> None:
    aws.client("elbv2").delete_load_balancer(LoadBalancerArn=old.id)


def _health_check(args: Arguments) -> dict[str, Any]:
    check = dict(args.get("healthCheck", {}))
    names = {
        "path": "HealthCheckPath",
        "interval": "HealthCheckIntervalSeconds",
        "timeout": "HealthCheckTimeoutSeconds",
        "healthyThreshold": "HealthyThresholdCount",
        "unhealthyThreshold": "UnhealthyThresholdCount",
        "protocol": "HealthCheckProtocol",
        "port": "HealthCheckPort",
        "enabled": "HealthCheckEnabled",
    }
    matcher = check.pop("matcher", None)
    answer = {names[key]: value for key, value in check.items() if value is not None}
    return answer | ({"Matcher": {"HttpCode": matcher}} if matcher else {})


@creates(_GROUP, replace_on=["name", "port", "protocol", "targetType", "vpcId"], named_by="name", retag=retag)
def target_group(aws: Aws, args: Arguments) -> Created:
    made = aws.client("elbv2").create_target_group(
        **args.pascal("name", "port", "protocol", "targetType", "vpcId", "protocolVersion", "ipAddressType"),
        **_health_check(args),
        Tags=tag_list(args.tags),
    )["TargetGroups"][0]
    arn = made["TargetGroupArn"]
    _set_group(aws, arn, args)
    return Created(arn, {"arn": arn, "arnSuffix": arn.rpartition(":")[2]})


@updates(_GROUP)
def update_target_group(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("name", "port", "protocol", "targetType", "vpcId", "protocolVersion", "ipAddressType")
    aws.client("elbv2").modify_target_group(TargetGroupArn=old.id, **_health_check(args))
    _set_group(aws, old.id, args)
    return {}


def _set_group(aws: Aws, arn: str, args: Arguments) -> None:
    if attributes := _attributes(args, _GROUP_ATTRIBUTES):
        aws.client("elbv2").modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)


@deletes(_GROUP)
def delete_target_group(aws: Aws, old: ResourceState) -> None:
    aws.client("elbv2").delete_target_group(TargetGroupArn=old.id)


def _listener(args: Arguments) -> dict[str, Any]:
    listener = args.pascal("port", "protocol", "sslPolicy", "alpnPolicy")
    actions = []
    for action in args["defaultActions"]:
        given = pascal(action)
        if "Redirect" in given:
            # The API has no defaults of its own for a redirect; these are the provider's.
            defaults = {"Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"}
            given["RedirectConfig"] = {**defaults, **given.pop("Redirect")}
        if "FixedResponse" in given:
            given["FixedResponseConfig"] = given.pop("FixedResponse")
        actions.append(given)
    if "certificateArn" in args:
        listener["Certificates"] = [{"CertificateArn": args["certificateArn"]}]
    return {**listener, "DefaultActions": actions}


@creates(_LISTENER, replace_on=["loadBalancerArn"], named_by="port", retag=retag)
def listener(aws: Aws, args: Arguments) -> Created:
    made = aws.client("elbv2").create_listener(
        **args.pascal("loadBalancerArn"), **_listener(args), Tags=tag_list(args.tags)
    )["Listeners"][0]
    return Created(made["ListenerArn"], {"arn": made["ListenerArn"]})


@updates(_LISTENER)
def update_listener(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("loadBalancerArn")
    aws.client("elbv2").modify_listener(ListenerArn=old.id, **_listener(args))
    return {}


@deletes(_LISTENER)
def delete_listener(aws: Aws, old: ResourceState) -> None:
    aws.client("elbv2").delete_listener(ListenerArn=old.id)
