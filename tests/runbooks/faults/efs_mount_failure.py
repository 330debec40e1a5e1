"""Faults that keep a workspace from being mounted."""

from typing import Any

from tests.runbooks.faults.stack import Fault, Stack, changed, unless_done, with_variables


def _file_system(stack: Stack) -> str:
    found = stack.client("efs").describe_file_systems(CreationToken=stack.names.file_system)
    return str(found["FileSystems"][0]["FileSystemId"])


def _group(stack: Stack) -> dict[str, Any]:
    named = [{"Name": "group-name", "Values": [stack.names.file_system_security_group]}]
    found: dict[str, Any] = stack.client("ec2").describe_security_groups(Filters=named)["SecurityGroups"][0]
    return found


def no_mount_target(stack: Stack) -> None:
    efs = stack.client("efs")
    target = efs.describe_mount_targets(FileSystemId=_file_system(stack))["MountTargets"][0]
    groups = efs.describe_mount_target_security_groups(MountTargetId=target["MountTargetId"])[
        "SecurityGroups"
    ]
    stack.undo.callback(
        unless_done,
        "MountTargetConflict",
        efs.create_mount_target,
        FileSystemId=_file_system(stack),
        SubnetId=target["SubnetId"],
        SecurityGroups=groups,
    )
    efs.delete_mount_target(MountTargetId=target["MountTargetId"])


def nfs_blocked(stack: Stack) -> None:
    ec2, group = stack.client("ec2"), _group(stack)
    rules = group["IpPermissions"]
    stack.undo.callback(
        unless_done,
        "InvalidPermission.Duplicate",
        ec2.authorize_security_group_ingress,
        GroupId=group["GroupId"],
        IpPermissions=rules,
    )
    ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=rules)


def wrong_subnet(stack: Stack) -> None:
    """Workers are launched into a public subnet, without a public address."""
    definition = stack.definition()
    ec2 = stack.client("ec2")
    private = definition.environment["WORKER_SUBNETS"].split(",")
    network = ec2.describe_subnets(SubnetIds=private)["Subnets"][0]["VpcId"]
    everywhere = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [network]}])["Subnets"]
    public = [subnet["SubnetId"] for subnet in everywhere if subnet["SubnetId"] not in private]
    stack.deploy(changed(definition, environment=with_variables(definition, WORKER_SUBNETS=",".join(public))))
    stack.steady()


FAULTS = (
    Fault("efs-mount-failure/no-mount-target", no_mount_target, mended=True),
    Fault("efs-mount-failure/nfs-blocked", nfs_blocked, mended=True),
    Fault("efs-mount-failure/wrong-subnet", wrong_subnet, mended=True),
)
