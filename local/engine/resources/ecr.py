"""ECR: image repositories."""

from typing import Any

from local.engine.arguments import Arguments, tag_list
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState

_REPOSITORY = "aws:ecr/repository:Repository"
_LIFECYCLE = "aws:ecr/lifecyclePolicy:LifecyclePolicy"


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    ecr = aws.client("ecr")
    if gone := [key for key in old.tags if key not in tags]:
        ecr.untag_resource(resourceArn=old.outputs["arn"], tagKeys=gone)
    ecr.tag_resource(resourceArn=old.outputs["arn"], tags=tag_list(tags))


@creates(_REPOSITORY, replace_on=["name", "encryptionConfigurations"], named_by="name", retag=retag)
def repository(aws: Aws, args: Arguments) -> Created:
    args.ignore("forceDelete")
    encryption = {}
    for configuration in args.get("encryptionConfigurations", []):
        given = {key: value for key, value in configuration.items() if value is not None}
        encryption = {"encryptionConfiguration": given}
    made = aws.client("ecr").create_repository(
        repositoryName=args["name"],
        **args.same("imageTagMutability", "imageScanningConfiguration"),
        **encryption,
        tags=tag_list(args.tags),
    )["repository"]
    return Created(
        args["name"],
        {
            "arn": made["repositoryArn"],
            "repositoryUrl": made["repositoryUri"],
            "registryId": made["registryId"],
        },
    )


@updates(_REPOSITORY)
def update_repository(aws: Aws, _: ResourceState, args: Arguments) -> dict[str, Any]:
    ecr = aws.client("ecr")
    args.ignore("encryptionConfigurations", "forceDelete")
    ecr.put_image_tag_mutability(repositoryName=args["name"], **args.same("imageTagMutability"))
    ecr.put_image_scanning_configuration(
        repositoryName=args["name"], **args.same("imageScanningConfiguration")
    )
    return {}


@deletes(_REPOSITORY)
def delete_repository(aws: Aws, old: ResourceState) -> None:
    aws.client("ecr").delete_repository(repositoryName=old.id, force=bool(old.inputs.get("forceDelete")))


@creates(_LIFECYCLE, replace_on=["repository"], put=True)
def lifecycle_policy(aws: Aws, args: Arguments) -> Created:
    aws.client("ecr").put_lifecycle_policy(
        repositoryName=args["repository"], lifecyclePolicyText=args["policy"]
    )
    return Created(args["repository"], {"registryId": aws.account})


@deletes(_LIFECYCLE)
def delete_lifecycle_policy(aws: Aws, old: ResourceState) -> None:
    aws.client("ecr").delete_lifecycle_policy(repositoryName=old.id)
