"""The security groups, each rule with what it is for; only the load balancer is open to the world."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from infra.network import INTERNET
from outpost.names import CONTROL_PLANE_PORT, NFS_PORT, Names

HTTP, HTTPS = 80, 443


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """`public_ports` are the load balancer's; `worker_egress_ports` what agents may reach outside."""

    names: Names
    vpc_id: Input[str]
    public_ports: Sequence[int]
    worker_egress_ports: Sequence[int]


class Firewall(ComponentResource):
    """Who may talk to whom: world -> load balancer -> control plane <- workers -> workspaces."""

    load_balancer: Output[str]
    control_plane: Output[str]
    worker: Output[str]
    file_system: Output[str]

    def __init__(self, name: str, args: FirewallArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:network:Firewall", name, {}, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        names = args.names
        self.load_balancer = self._group("alb", names.load_balancer_security_group, "Load balancer")
        self.control_plane = self._group("control-plane", names.control_plane_security_group, "Control plane")
        self.worker = self._group("worker", names.worker_security_group, "Agents")
        self.file_system = self._group("efs", names.file_system_security_group, "Workspaces")

        for port in args.public_ports:
            self._ingress("alb", self.load_balancer, port, "world", cidr=INTERNET)
        self._egress("alb", self.load_balancer, CONTROL_PLANE_PORT, "control-plane", self.control_plane)

        self._ingress("control-plane", self.control_plane, CONTROL_PLANE_PORT, "alb", self.load_balancer)
        self._ingress("control-plane", self.control_plane, CONTROL_PLANE_PORT, "worker", self.worker)
        # AWS's APIs and GitHub; neither has addresses that a rule could list.
        self._egress("control-plane", self.control_plane, HTTPS, "internet", cidr=INTERNET)

        for port in args.worker_egress_ports:
            self._egress("worker", self.worker, port, "internet", cidr=INTERNET)
        self._egress("worker", self.worker, CONTROL_PLANE_PORT, "control-plane", self.control_plane)
        self._egress("worker", self.worker, NFS_PORT, "efs", self.file_system)

        self._ingress("efs", self.file_system, NFS_PORT, "worker", self.worker)
        self.register_outputs({"worker": self.worker})

    def _group(self, suffix: str, group_name: str, description: str) -> Output[str]:
        return aws.ec2.SecurityGroup(
            f"{self._name}-{suffix}",
            name=group_name,
            description=f"Outpost: {description}",
            vpc_id=self._args.vpc_id,
            tags={"Name": group_name},
            opts=self._child,
        ).id

    def _ingress(
        self,
        owner: str,
        group: Output[str],
        port: int,
        peer: str,
        peer_group: Output[str] | None = None,
        *,
        cidr: str | None = None,
    ) -> None:
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-{owner}-from-{peer}-{port}",
            **self._rule(group, port, peer_group, cidr),
            description=f"from {peer}",
            opts=self._child,
        )

    def _egress(
        self,
        owner: str,
        group: Output[str],
        port: int,
        peer: str,
        peer_group: Output[str] | None = None,
        *,
        cidr: str | None = None,
    ) -> None:
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-{owner}-to-{peer}-{port}",
            **self._rule(group, port, peer_group, cidr),
            description=f"to {peer}",
            opts=self._child,
        )

    @staticmethod
    def _rule(
        group: Output[str], port: int, peer_group: Output[str] | None, cidr: str | None
    ) -> dict[str, Any]:
        """One TCP port between a group and its peer: another group or a block of addresses."""
        return {
            "security_group_id": group,
            "ip_protocol": "tcp",
            "from_port": port,
            "to_port": port,
            "cidr_ipv4": cidr,
            "referenced_security_group_id": peer_group,
        }
