"""The application load balancer in front of the control plane."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from infra.firewall import HTTP, HTTPS
from outpost.names import CONTROL_PLANE_PORT, Names

# TLS 1.3, and 1.2 with forward secrecy.
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
# Longer than the pause between two keepalives of a followed log (15 s); AWS's default is 60 s.
IDLE_TIMEOUT = 120
DRAIN = 30  # seconds that a leaving task may finish its requests in


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """The subnets are public ones, in two zones at least.

    With a `certificate_arn` (then `domain` too) clients use HTTPS at the domain; `zone_id` is the hosted
    zone to point the domain from. `log_bucket` takes the access logs.
    """

    names: Names
    vpc_id: Input[str]
    subnet_ids: Sequence[Input[str]]
    security_group_id: Input[str]
    protect: bool
    certificate_arn: str = ""
    domain: str = ""
    zone_id: str = ""
    log_bucket: Input[str] | None = None


class LoadBalancer(ComponentResource):
    """Takes the clients' requests and hands them to healthy tasks."""

    arn_suffix: Output[str]
    target_group_arn: Output[str]
    target_group_arn_suffix: Output[str]
    listener: aws.lb.Listener
    dns_name: Output[str]
    url: Output[str]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:network:LoadBalancer", name, {}, opts)
        child = ResourceOptions(parent=self)
        balancer = aws.lb.LoadBalancer(
            name,
            name=args.names.load_balancer,
            load_balancer_type="application",
            internal=False,
            subnets=args.subnet_ids,
            security_groups=[args.security_group_id],
            idle_timeout=IDLE_TIMEOUT,
            drop_invalid_header_fields=True,
            enable_deletion_protection=args.protect,
            access_logs=aws.lb.LoadBalancerAccessLogsArgs(bucket=args.log_bucket, enabled=True)
            if args.log_bucket is not None
            else None,
            opts=child,
        )
        target_group = _target_group(name, args, child)
        self.listener = _listener(name, args, balancer, target_group, child)
        if args.zone_id:
            _point_domain(name, args, balancer, child)
        self.arn_suffix = balancer.arn_suffix
        self.target_group_arn = target_group.arn
        self.target_group_arn_suffix = target_group.arn_suffix
        self.dns_name = balancer.dns_name
        self.url = (
            Output.from_input(f"https://{args.domain}")
            if args.certificate_arn
            else Output.concat("http://", balancer.dns_name)
        )
        self.register_outputs({"url": self.url})


def _target_group(name: str, args: LoadBalancerArgs, child: ResourceOptions) -> aws.lb.TargetGroup:
    return aws.lb.TargetGroup(
        name,
        name=args.names.load_balancer,
        port=CONTROL_PLANE_PORT,
        protocol="HTTP",
        target_type="ip",  # what awsvpc tasks register as
        vpc_id=args.vpc_id,
        deregistration_delay=DRAIN,
        health_check=aws.lb.TargetGroupHealthCheckArgs(
            path="/health",
            protocol="HTTP",
            matcher="200",
            interval=10,
            timeout=5,
            healthy_threshold=2,
            unhealthy_threshold=3,
        ),
        opts=child,
    )


def _listener(
    name: str,
    args: LoadBalancerArgs,
    balancer: aws.lb.LoadBalancer,
    target_group: aws.lb.TargetGroup,
    child: ResourceOptions,
) -> aws.lb.Listener:
    """The listener that forwards: HTTPS when there is a certificate, and then HTTP redirects to it."""
    forward = aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=target_group.arn)
    to_https = aws.lb.ListenerDefaultActionArgs(
        type="redirect",
        redirect=aws.lb.ListenerDefaultActionRedirectArgs(
            port=str(HTTPS), protocol="HTTPS", status_code="HTTP_301"
        ),
    )
    http = aws.lb.Listener(
        f"{name}-http",
        load_balancer_arn=balancer.arn,
        port=HTTP,
        protocol="HTTP",
        default_actions=[to_https if args.certificate_arn else forward],
        opts=child,
    )
    if not args.certificate_arn:
        return http
    return aws.lb.Listener(
        f"{name}-https",
        load_balancer_arn=balancer.arn,
        port=HTTPS,
        protocol="HTTPS",
        certificate_arn=args.certificate_arn,
        ssl_policy=TLS_POLICY,
        default_actions=[forward],
        opts=child,
    )


def _point_domain(
    name: str, args: LoadBalancerArgs, balancer: aws.lb.LoadBalancer, child: ResourceOptions
) -> None:
    aws.route53.Record(
        name,
        zone_id=args.zone_id,
        name=args.domain,
        type="A",
        aliases=[
            aws.route53.RecordAliasArgs(
                name=balancer.dns_name, zone_id=balancer.zone_id, evaluate_target_health=True
            )
        ],
        opts=child,
    )
