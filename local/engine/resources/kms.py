"""KMS: keys and aliases."""

from typing import Any

from local.engine.arguments import Arguments, tag_list
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState

_KEY = "aws:kms/key:Key"
_ALIAS = "aws:kms/alias:Alias"
_WINDOW = 30  # days until a deleted key is gone, when none is declared


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    kms = aws.client("kms")
    if gone := [key for key in old.tags if key not in tags]:
        kms.untag_resource(KeyId=old.id, TagKeys=gone)
    kms.tag_resource(KeyId=old.id, Tags=tag_list(tags, "TagKey", "TagValue"))


@creates(_KEY, replace_on=["keyUsage", "customerMasterKeySpec", "multiRegion"], retag=retag)
def key(aws: Aws, args: Arguments) -> Created:
    args.ignore("deletionWindowInDays", "bypassPolicyLockoutSafetyCheck")
    made = aws.client("kms").create_key(
        **args.pascal("description", "policy", "keyUsage", "multiRegion"),
        **({"KeySpec": args["customerMasterKeySpec"]} if "customerMasterKeySpec" in args else {}),
        Tags=tag_list(args.tags, "TagKey", "TagValue"),
    )["KeyMetadata"]
    _set_rotation(aws, made["KeyId"], args)
    return Created(made["KeyId"], {"arn": made["Arn"], "keyId": made["KeyId"]})


def _set_rotation(aws: Aws, key_id: str, args: Arguments) -> None:
    kms = aws.client("kms")
    if args.get("enableKeyRotation"):
        kms.enable_key_rotation(KeyId=key_id, **args.pascal("rotationPeriodInDays"))
    else:
        kms.disable_key_rotation(KeyId=key_id)


@updates(_KEY)
def update_key(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    kms = aws.client("kms")
    args.ignore("deletionWindowInDays", "bypassPolicyLockoutSafetyCheck")
    args.ignore("keyUsage", "customerMasterKeySpec", "multiRegion")
    kms.update_key_description(KeyId=old.id, Description=args.get("description", ""))
    if "policy" in args:
        kms.put_key_policy(KeyId=old.id, PolicyName="default", Policy=args["policy"])
    _set_rotation(aws, old.id, args)
    return {}


@deletes(_KEY)
def delete_key(aws: Aws, old: ResourceState) -> None:
    aws.client("kms").schedule_key_deletion(
        KeyId=old.id, PendingWindowInDays=old.inputs.get("deletionWindowInDays") or _WINDOW
    )


@creates(_ALIAS, replace_on=["name"], named_by="name")
def alias(aws: Aws, args: Arguments) -> Created:
    aws.client("kms").create_alias(AliasName=args["name"], TargetKeyId=args["targetKeyId"])
    return Created(args["name"], {"arn": aws.arn("kms", args["name"])})


@updates(_ALIAS)
def update_alias(aws: Aws, _: ResourceState, args: Arguments) -> dict[str, Any]:
    aws.client("kms").update_alias(AliasName=args["name"], TargetKeyId=args["targetKeyId"])
    return {}


@deletes(_ALIAS)
def delete_alias(aws: Aws, old: ResourceState) -> None:
    aws.client("kms").delete_alias(AliasName=old.id)
