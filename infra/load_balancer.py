"""The application load balancer in front of the control plane."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from infra.firewall import HTTP
from outpost.names import CONTROL_PLANE_PORT, Names

# Longer than the pause between two keepalives of a followed log (15 s); AWS's default is 60 s.
IDLE_TIMEOUT = 120
DRAIN = 30  # seconds that a leaving task may finish its requests in


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """The subnets are public ones, in two zones at least."""

    names: Names
    vpc_id: Input[str]
    subnet_ids: Sequence[Input[str]]
    security_group_id: Input[str]
    protect: bool


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
            opts=child,
        )
        target_group = _target_group(name, args, child)
        self.listener = aws.lb.Listener(
            f"{name}-http",
            load_balancer_arn=balancer.arn,
            port=HTTP,
            protocol="HTTP",
            default_actions=[
                aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=target_group.arn)
            ],
            opts=child,
        )
        self.arn_suffix = balancer.arn_suffix
        self.target_group_arn = target_group.arn
        self.target_group_arn_suffix = target_group.arn_suffix
        self.dns_name = balancer.dns_name
        self.url = Output.concat("http://", balancer.dns_name)
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
