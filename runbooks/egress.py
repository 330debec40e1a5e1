"""The workers' way out: security groups and routes, what of it is closed, and the calls that open it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from outpost.names import CONTROL_PLANE_PORT
from runbooks.looking import Answer
from runbooks.model import Evidence
from runbooks.observations import Region
from runbooks.observations.network import allows_internet, allows_port
from runbooks.remedies import Action, Call, Plan

HTTPS = 443
EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class Rule:
    """A rule that a security group lacks. `peer` is another group's id, or a CIDR block."""

    group: str
    direction: Literal["ingress", "egress"]
    peer: str
    port: int

    def evidence(self, region: Region) -> Evidence:
        peer = self.peer if self.peer == EVERYWHERE else region.network.label(self.peer)
        where = f"{'from' if self.direction == 'ingress' else 'to'} {peer} on TCP {self.port}"
        group = region.network.label(self.group)
        return Evidence("ec2:DescribeSecurityGroups", group, "no such rule", f"{self.direction} {where}")

    def action(self) -> Action:
        peer = (
            {"IpRanges": [{"CidrIp": self.peer}]}
            if self.peer == EVERYWHERE
            else {"UserIdGroupPairs": [{"GroupId": self.peer}]}
        )
        permission = {"IpProtocol": "tcp", "FromPort": self.port, "ToPort": self.port, **peer}
        parameters = {"GroupId": self.group, "IpPermissions": [permission]}
        of = f"SecurityGroup{self.direction.capitalize()}"
        return Action(Call(f"ec2:Authorize{of}", parameters), Call(f"ec2:Revoke{of}", parameters))


def missing_rules(region: Region) -> list[Rule]:
    """What security groups keep workers from: the internet, and the control plane."""
    worker = region.network.worker_security_group()
    rules, identity = worker.get("IpPermissionsEgress", []), worker["GroupId"]
    missing = []
    if not allows_internet(rules, HTTPS):
        missing.append(Rule(identity, "egress", EVERYWHERE, HTTPS))
    control_plane = _control_plane(region)
    if control_plane is not None:
        owner, port = control_plane["GroupId"], CONTROL_PLANE_PORT
        if not (allows_port(rules, port, group=owner) or allows_internet(rules, port)):
            missing.append(Rule(identity, "egress", owner, port))
        if not allows_port(control_plane.get("IpPermissions", []), port, group=identity):
            missing.append(Rule(owner, "ingress", identity, port))
    return missing


def _control_plane(region: Region) -> Answer | None:
    name = region.names.control_plane_security_group
    groups = region.network.security_groups().values()
    return next((group for group in groups if group.get("GroupName") == name), None)


def blocked_routes(region: Region) -> list[Evidence]:
    """What of the workers' subnets has no working route to the internet."""
    return list(_blocked_routes(region))


def _blocked_routes(region: Region) -> Iterator[Evidence]:
    expected = f"{EVERYWHERE} to an available NAT gateway"
    for subnet in region.network.worker_subnets():
        route, identity = region.network.default_route(subnet), subnet["SubnetId"]
        if route is None:
            yield Evidence("ec2:DescribeRouteTables", identity, "no default route", expected)
        elif route.get("State") == "blackhole":
            yield Evidence("ec2:DescribeRouteTables", identity, "blackhole", expected)
        elif route.get("NatGatewayId"):
            gateway = region.network.nat_gateways().get(route["NatGatewayId"])
            state = gateway["State"] if gateway else "gone"
            if state != "available":
                yield Evidence("ec2:DescribeNatGateways", route["NatGatewayId"], state, "available")
        elif str(route.get("GatewayId", "")).startswith("igw-"):
            saw = f"the default route goes to {route['GatewayId']}, and workers have no public address"
            yield Evidence("ec2:DescribeRouteTables", identity, saw, expected)


def open_egress(region: Region) -> Plan | None:
    """Add the rules that are missing, and the default routes where there is a gateway for them."""
    actions = [rule.action() for rule in missing_rules(region)]
    gateways = [g for g in region.network.nat_gateways().values() if g["State"] == "available"]
    tables: set[str] = set()
    for subnet in region.network.worker_subnets():
        if region.network.default_route(subnet) is not None:
            continue
        table = region.network.route_table(subnet)
        if table is None or not gateways:
            return None
        tables.add(table["RouteTableId"])
    for identifier in sorted(tables):
        where = {"RouteTableId": identifier, "DestinationCidrBlock": EVERYWHERE}
        create = Call("ec2:CreateRoute", where | {"NatGatewayId": gateways[0]["NatGatewayId"]})
        actions.append(Action(create, Call("ec2:DeleteRoute", where)))
    return Plan(actions=tuple(actions)) if actions else None
