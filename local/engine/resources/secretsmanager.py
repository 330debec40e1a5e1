"""Secrets Manager."""

from typing import Any

from local.engine.arguments import Arguments, tag_list
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState

_SECRET = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a resource type
_VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
_POLICY = "aws:secretsmanager/secretPolicy:SecretPolicy"


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    manager = aws.client("secretsmanager")
    if gone := [key for key in old.tags if key not in tags]:
        manager.untag_resource(SecretId=old.id, TagKeys=gone)
    manager.tag_resource(SecretId=old.id, Tags=tag_list(tags))


@creates(_SECRET, replace_on=["name"], named_by="name", retag=retag)
def secret(aws: Aws, args: Arguments) -> Created:
    args.ignore("recoveryWindowInDays", "forceOverwriteReplicaSecret")  # of use when it is deleted
    made = aws.client("secretsmanager").create_secret(
        **args.pascal("name", "description", "kmsKeyId"), Tags=tag_list(args.tags)
    )
    return Created(made["ARN"], {"arn": made["ARN"]})


@updates(_SECRET)
def update_secret(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("name", "recoveryWindowInDays", "forceOverwriteReplicaSecret")
    aws.client("secretsmanager").update_secret(SecretId=old.id, **args.pascal("description", "kmsKeyId"))
    return {}


@deletes(_SECRET)
def delete_secret(aws: Aws, old: ResourceState) -> None:
    days = old.inputs.get("recoveryWindowInDays")
    how: dict[str, Any] = (
        {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": days == 0}
    )
    aws.client("secretsmanager").delete_secret(SecretId=old.id, **how)


@creates(_VERSION, replace_on=["secretId"], put=True)
def secret_version(aws: Aws, args: Arguments) -> Created:
    made = aws.client("secretsmanager").put_secret_value(
        **args.pascal("secretId", "secretString", "versionStages")
    )
    version = made["VersionId"]
    arns = {"arn": made["ARN"], "secretArn": made["ARN"]}
    return Created(f"{args['secretId']}|{version}", {**arns, "versionId": version})


@creates(_POLICY, replace_on=["secretArn"], put=True)
def secret_policy(aws: Aws, args: Arguments) -> Created:
    args.ignore("blockPublicPolicy")
    aws.client("secretsmanager").put_resource_policy(
        SecretId=args["secretArn"], ResourcePolicy=args["policy"]
    )
    return Created(args["secretArn"])


@deletes(_POLICY)
def delete_secret_policy(aws: Aws, old: ResourceState) -> None:
    aws.client("secretsmanager").delete_resource_policy(SecretId=old.id)
