"""EFS: file systems."""

from typing import Any

from local.engine.arguments import Arguments, pascal, tag_list
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState

_SYSTEM = "aws:efs/fileSystem:FileSystem"
_MOUNT = "aws:efs/mountTarget:MountTarget"


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    efs = aws.client("efs")
    if gone := [key for key in old.tags if key not in tags]:
        efs.untag_resource(ResourceId=old.id, TagKeys=gone)
    efs.tag_resource(ResourceId=old.id, Tags=tag_list(tags))


@creates(
    _SYSTEM,
    replace_on=["creationToken", "encrypted", "kmsKeyId", "performanceMode", "availabilityZoneName"],
    named_by="creationToken",
    retag=retag,
)
def file_system(aws: Aws, args: Arguments) -> Created:
    made = aws.client("efs").create_file_system(
        **args.pascal("creationToken", "encrypted", "kmsKeyId", "performanceMode", "throughputMode"),
        **args.pascal("availabilityZoneName"),
        Tags=tag_list(args.tags),
    )
    system = made["FileSystemId"]
    _set_lifecycle(aws, system, args)
    return Created(
        system,
        {
            "arn": aws.arn("elasticfilesystem", f"file-system/{system}"),
            "dnsName": f"{system}.efs.{aws.region}.amazonaws.com",
            "ownerId": aws.account,
        },
    )


def _set_lifecycle(aws: Aws, system: str, args: Arguments) -> None:
    policies = pascal(args.get("lifecyclePolicies", []))
    # The provider takes several transitions in one block or apart; the API wants one each.
    single = [{key: value} for policy in policies for key, value in policy.items()]
    if single:
        names = {"TransitionToIa": "TransitionToIA"}
        given = [{names.get(key, key): value for key, value in policy.items()} for policy in single]
        aws.client("efs").put_lifecycle_configuration(FileSystemId=system, LifecyclePolicies=given)


@updates(_SYSTEM)
def update_file_system(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("creationToken", "encrypted", "kmsKeyId", "performanceMode", "availabilityZoneName")
    _set_lifecycle(aws, old.id, args)
    if args.get("throughputMode") != old.inputs.get("throughputMode"):
        aws.client("efs").update_file_system(FileSystemId=old.id, **args.pascal("throughputMode"))
    return {}


@deletes(_SYSTEM)
def delete_file_system(aws: Aws, old: ResourceState) -> None:
    aws.client("efs").delete_file_system(FileSystemId=old.id)


@creates(_MOUNT, replace_on=["fileSystemId", "subnetId", "ipAddress"], named_by="subnetId")
def mount_target(aws: Aws, args: Arguments) -> Created:
    made = aws.client("efs").create_mount_target(
        **args.pascal("fileSystemId", "subnetId", "ipAddress", "securityGroups")
    )
    return Created(
        made["MountTargetId"],
        {
            "ipAddress": made["IpAddress"],
            "networkInterfaceId": made["NetworkInterfaceId"],
            "availabilityZoneName": made["AvailabilityZoneName"],
            "dnsName": f"{args['fileSystemId']}.efs.{aws.region}.amazonaws.com",
        },
    )


@updates(_MOUNT)
def update_mount_target(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("fileSystemId", "subnetId", "ipAddress")
    aws.client("efs").modify_mount_target_security_groups(
        MountTargetId=old.id, **args.pascal("securityGroups")
    )
    return {}


@deletes(_MOUNT)
def delete_mount_target(aws: Aws, old: ResourceState) -> None:
    aws.client("efs").delete_mount_target(MountTargetId=old.id)


@creates("aws:efs/fileSystemPolicy:FileSystemPolicy", replace_on=["fileSystemId"], put=True)
def file_system_policy(aws: Aws, args: Arguments) -> Created:
    args.ignore("bypassPolicyLockoutSafetyCheck")
    aws.client("efs").put_file_system_policy(FileSystemId=args["fileSystemId"], Policy=args["policy"])
    return Created(args["fileSystemId"])


@creates("aws:efs/backupPolicy:BackupPolicy", replace_on=["fileSystemId"], put=True)
def backup_policy(aws: Aws, args: Arguments) -> Created:
    aws.client("efs").put_backup_policy(
        FileSystemId=args["fileSystemId"], BackupPolicy=pascal(args["backupPolicy"])
    )
    return Created(args["fileSystemId"])


@creates("aws:efs/accessPoint:AccessPoint", retag=retag)  # immutable in AWS
def access_point(aws: Aws, args: Arguments) -> Created:
    made = aws.client("efs").create_access_point(
        **args.pascal("fileSystemId", "posixUser", "rootDirectory"), Tags=tag_list(args.tags)
    )
    return Created(made["AccessPointId"], {"arn": made["AccessPointArn"], "ownerId": aws.account})


@deletes("aws:efs/accessPoint:AccessPoint")
def delete_access_point(aws: Aws, old: ResourceState) -> None:
    aws.client("efs").delete_access_point(AccessPointId=old.id)
