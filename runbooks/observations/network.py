"""The network of the stack: subnets, security groups, routes, gateways and endpoints."""

from __future__ import annotations

import ipaddress
from typing import Any

from runbooks.looking import Absent, Answer, CouldNotLook, Look
from runbooks.observations.containers import Containers
from runbooks.target import Target


class Network:
    """Reads the whole VPC once; ids come from the control plane's settings or its network configuration."""

    def __init__(self, look: Look, target: Target, containers: Containers) -> None:
        self._look = look
        self._target = target
        self._containers = containers

    def worker_subnet_ids(self) -> list[str]:
        """Where agents are launched: WORKER_SUBNETS, or the service's own subnets when it is not set."""
        listed = self._containers.definition().environment.get("WORKER_SUBNETS", "")
        ids = [subnet.strip() for subnet in listed.split(",") if subnet.strip()]
        if ids:
            return ids
        configuration = self._containers.service().get("networkConfiguration", {})
        return list(configuration.get("awsvpcConfiguration", {}).get("subnets", []))

    def worker_subnets(self) -> list[Answer]:
        """Raises `Absent` when one of them does not exist."""
        ids = self.worker_subnet_ids()
        if not ids:
            raise Absent("ecs:DescribeTaskDefinition", "MISSING", "no WORKER_SUBNETS")
        return self.subnets(ids)

    def subnets(self, ids: list[str]) -> list[Answer]:
        """Raises `Absent` when one of them does not exist."""
        if not ids:
            return []
        answer = self._look("ec2:DescribeSubnets", SubnetIds=sorted(set(ids)))
        found: list[Answer] = answer.get("Subnets", [])
        missing = set(ids) - {subnet["SubnetId"] for subnet in found}
        if missing:
            raise Absent("ec2:DescribeSubnets", "InvalidSubnetID.NotFound", ", ".join(sorted(missing)))
        return found

    def vpc(self) -> str:
        return str(self.worker_subnets()[0]["VpcId"])

    def security_groups(self) -> dict[str, Answer]:
        """Every security group of the VPC, by id."""
        answer = self._look("ec2:DescribeSecurityGroups", Filters=self._in_vpc())
        return {group["GroupId"]: group for group in answer.get("SecurityGroups", [])}

    def label(self, group: str) -> str:
        """A security group for people: its id, and the name that the stack gave it."""
        name = self.security_groups().get(group, {}).get("GroupName")
        return f"{group} ({name})" if name else group

    def worker_security_group(self) -> Answer:
        """The one that agents are launched with. Raises `Absent`."""
        wanted = self._containers.definition().environment.get("WORKER_SECURITY_GROUP", "")
        name = self._target.names.worker_security_group
        for group in self.security_groups().values():
            if group["GroupId"] == wanted or (not wanted and group.get("GroupName") == name):
                return group
        raise Absent("ec2:DescribeSecurityGroups", "InvalidGroup.NotFound", wanted or name)

    def route_table(self, subnet: Answer) -> Answer | None:
        """The subnet's own route table, or else the VPC's main one."""
        main = None
        for table in self._route_tables():
            for association in table.get("Associations", []):
                if association.get("SubnetId") == subnet["SubnetId"]:
                    return table
                if association.get("Main"):
                    main = table
        return main

    def default_route(self, subnet: Answer) -> Answer | None:
        """The subnet's route to everywhere (0.0.0.0/0); None when it has none."""
        table = self.route_table(subnet) or {}
        for route in table.get("Routes", []):
            if route.get("DestinationCidrBlock") == "0.0.0.0/0":
                found: Answer = route
                return found
        return None

    def nat_gateways(self) -> dict[str, Answer]:
        answer = self._look("ec2:DescribeNatGateways", Filter=self._in_vpc())
        return {gateway["NatGatewayId"]: gateway for gateway in answer.get("NatGateways", [])}

    def endpoints(self) -> list[Answer]:
        answer = self._look("ec2:DescribeVpcEndpoints", Filters=self._in_vpc())
        found: list[Answer] = answer.get("VpcEndpoints", [])
        return found

    def route_tables_of_workers(self) -> set[str]:
        tables = (self.route_table(subnet) for subnet in self.worker_subnets())
        return {table["RouteTableId"] for table in tables if table}

    def _route_tables(self) -> list[Answer]:
        answer = self._look("ec2:DescribeRouteTables", Filters=self._in_vpc())
        found: list[Answer] = answer.get("RouteTables", [])
        return found

    def _in_vpc(self) -> list[dict[str, Any]]:
        return [{"Name": "vpc-id", "Values": [self.vpc()]}]


def allows_port(
    permissions: list[Answer], port: int, *, group: str = "", address: str = "", protocol: str = "tcp"
) -> bool:
    """Whether a rule lets a port through, for a peer known by its security group, its address or both."""
    for rule in permissions:
        if rule.get("IpProtocol") not in (protocol, "-1"):
            continue
        low, high = rule.get("FromPort", 0), rule.get("ToPort", 65535)
        if rule.get("IpProtocol") != "-1" and not (low <= port <= high):
            continue
        if any(pair.get("GroupId") == group for pair in rule.get("UserIdGroupPairs", [])):
            return True
        if address and any(_contains(block["CidrIp"], address) for block in rule.get("IpRanges", [])):
            return True
        if rule.get("PrefixListIds"):
            return True  # a prefix list's addresses are AWS's own services
    return False


def allows_internet(permissions: list[Answer], port: int) -> bool:
    """Whether a rule lets a port out to any address."""
    return any(
        rule.get("IpProtocol") in ("tcp", "-1")
        and (rule.get("IpProtocol") == "-1" or rule.get("FromPort", 0) <= port <= rule.get("ToPort", 65535))
        and any(block.get("CidrIp") == "0.0.0.0/0" for block in rule.get("IpRanges", []))
        for rule in permissions
    )


def _contains(block: str, address: str) -> bool:
    network = ipaddress.ip_network(block, strict=False)
    try:
        return ipaddress.ip_network(address, strict=False).subnet_of(network)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise CouldNotLook("ec2:DescribeSecurityGroups", "failed", str(error)) from error
