"""Network interfaces of tasks, made in moto's EC2 so that subnets fill up as they do on AWS."""

import ipaddress
from collections import defaultdict

from moto.ec2.exceptions import InvalidSubnetIdError

from local.aws.errors import AwsError
from local.aws.moto_app import backend
from local.ecs.model import Attachment, Task, new_id


def check(network: dict[str, list[str]]) -> None:
    """Raise `AwsError` as RunTask does for subnets or security groups that do not exist."""
    ec2 = backend("ec2")
    for subnet in network.get("subnets") or []:
        try:
            ec2.get_subnet(subnet)
        except InvalidSubnetIdError as error:
            raise AwsError(
                "InvalidParameterException",
                f"Error retrieving subnet information for [{subnet}]: The subnet ID '{subnet}' does not "
                "exist (ErrorCode: InvalidSubnetID.NotFound)",
            ) from error
    for group in network.get("securityGroups") or []:
        if ec2.get_security_group_from_id(group) is None:
            raise AwsError(
                "InvalidParameterException",
                f"Error retrieving security group information for [{group}]: The security group '{group}' "
                "does not exist (ErrorCode: InvalidGroup.NotFound)",
            )


def plan(network: dict[str, list[str]]) -> tuple[Attachment, str]:
    """An attachment in the subnet with most free addresses, and that subnet's availability zone."""
    ec2 = backend("ec2")
    subnets = [ec2.get_subnet(subnet) for subnet in network["subnets"]]
    taken = addresses_in_use()
    chosen = max(subnets, key=lambda subnet: _capacity(subnet.cidr_block) - len(taken[subnet.id]))
    return Attachment(new_id(), chosen.id), chosen.availability_zone


def attach(task: Task) -> str:
    """Create the task's interface; the reason why it could not be, or nothing."""
    ec2 = backend("ec2")
    subnet = ec2.get_subnet(task.attachment.subnet)
    taken = addresses_in_use()[subnet.id]
    hosts = ipaddress.ip_network(subnet.cidr_block).hosts()
    free = (
        str(host) for number, host in enumerate(hosts) if number >= RESERVED - 2 and str(host) not in taken
    )
    address = next(free, None)
    if address is None:
        return (
            "Unexpected EC2 error while attempting to Create Network Interface in subnet "
            f"'{subnet.id}': InsufficientFreeAddressesInSubnet"
        )
    interface = ec2.create_network_interface(
        subnet,
        address,
        group_ids=list(task.network.get("securityGroups") or []),
        description=f"arn:aws:ecs:us-east-1:123456789012:attachment/{task.attachment.id}",
    )
    interface.status = "in-use"
    task.attachment.interface = interface.id
    task.attachment.mac = interface.mac_address
    task.attachment.ip = address
    task.attachment.status = "ATTACHED"
    return ""


def detach(task: Task) -> None:
    """Delete the task's interface, if it has one."""
    if task.attachment.interface:
        backend("ec2").enis.pop(task.attachment.interface, None)
        task.attachment.status = "DELETED"


RESERVED = 5  # addresses of a subnet that AWS keeps: the first four and the last


def _capacity(cidr: str) -> int:
    return ipaddress.ip_network(cidr).num_addresses - RESERVED


def addresses_in_use() -> dict[str, set[str]]:
    """Addresses of interfaces, by subnet id."""
    taken: dict[str, set[str]] = defaultdict(set)
    for interface in list(backend("ec2").enis.values()):
        for address in interface.private_ip_addresses:
            taken[interface.subnet.id].add(address["PrivateIpAddress"])
    return taken
