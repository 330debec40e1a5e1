"""Whether packets would get through: security groups, route tables, endpoints."""

import ipaddress
from dataclasses import dataclass
from typing import Any

from local.aws.client import Clients

HTTPS = 443
ANYWHERE = "0.0.0.0/0"


def _covers_port(rule: dict[str, Any], port: int) -> bool:
    if rule.get("IpProtocol") == "-1":
        return True
    return rule.get("IpProtocol") in {"tcp", "6"} and rule.get("FromPort", 0) <= port <= rule.get(
        "ToPort", 65535
    )


@dataclass
class Reachability:
    """Answers from the embedded EC2's own descriptions, as an operator would look."""

    clients: Clients

    def reaches_internet(self, groups: list[str], subnet: str, *, public_ip: bool) -> bool:
        """HTTPS to anywhere: egress of any of the groups, and a default route that leads somewhere."""
        return self._egress(groups, HTTPS) and self._default_route(subnet, public_ip=public_ip)

    def reaches_endpoint(self, groups: list[str], vpc: str, service: str) -> bool:
        """HTTPS to an interface endpoint of `service` (such as `ecr.api`) in the VPC."""
        ec2 = self.clients.internal("ec2")
        for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"]:
            if endpoint["VpcId"] != vpc or not endpoint["ServiceName"].endswith(f".{service}"):
                continue
            theirs = [group["GroupId"] for group in endpoint.get("Groups") or []]
            if not theirs or self.open_between(groups, theirs, HTTPS):
                return True
        return False

    def open_between(self, sources: list[str], targets: list[str], port: int) -> bool:
        """Whether any source group may open a TCP connection to any target group, on both sides."""
        groups = self._groups([*sources, *targets])
        leaves = any(
            _covers_port(rule, port) and (_wide(rule) or _names(rule, targets))
            for source in sources
            for rule in groups.get(source, {}).get("IpPermissionsEgress", [])
        )
        enters = any(
            _covers_port(rule, port) and (_wide(rule) or _names(rule, sources))
            for target in targets
            for rule in groups.get(target, {}).get("IpPermissions", [])
        )
        return leaves and enters

    def _egress(self, groups: list[str], port: int) -> bool:
        return any(
            _covers_port(rule, port)
            and any(entry["CidrIp"] == ANYWHERE for entry in rule.get("IpRanges", []))
            for group in self._groups(groups).values()
            for rule in group["IpPermissionsEgress"]
        )

    def _groups(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        if not ids:
            return {}
        answer = self.clients.internal("ec2").describe_security_groups(GroupIds=sorted(set(ids)))
        return {group["GroupId"]: group for group in answer["SecurityGroups"]}

    def _default_route(self, subnet: str, *, public_ip: bool) -> bool:
        ec2 = self.clients.internal("ec2")
        tables = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])[
            "RouteTables"
        ]
        if not tables:
            vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
            every = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
            tables = [t for t in every if any(a.get("Main") for a in t["Associations"])]
        for route in [route for table in tables for route in table["Routes"]]:
            if route.get("DestinationCidrBlock") != ANYWHERE or route.get("State", "active") != "active":
                continue
            if route.get("NatGatewayId"):
                return self._nat_works(route["NatGatewayId"])
            if route.get("GatewayId", "").startswith("igw-"):
                return public_ip
            return any(key in route for key in ("TransitGatewayId", "NetworkInterfaceId", "InstanceId"))
        return False

    def _nat_works(self, gateway: str) -> bool:
        gateways = self.clients.internal("ec2").describe_nat_gateways(NatGatewayIds=[gateway])["NatGateways"]
        return any(each["State"] == "available" for each in gateways)


def _wide(rule: dict[str, Any]) -> bool:
    """A rule for addresses wide enough to hold a subnet of a VPC."""
    return any(ipaddress.ip_network(entry["CidrIp"]).prefixlen <= 24 for entry in rule.get("IpRanges", []))


def _names(rule: dict[str, Any], groups: list[str]) -> bool:
    return any(pair.get("GroupId") in groups for pair in rule.get("UserIdGroupPairs", []))
