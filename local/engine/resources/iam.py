"""IAM: roles and policies."""

from typing import Any

from local.engine.arguments import Arguments, tag_list
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState

_ROLE = "aws:iam/role:Role"
_INLINE = "aws:iam/rolePolicy:RolePolicy"
_ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
_POLICY = "aws:iam/policy:Policy"
_OIDC = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"


def _retag_role(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    iam = aws.client("iam")
    if gone := [key for key in old.tags if key not in tags]:
        iam.untag_role(RoleName=old.id, TagKeys=gone)
    iam.tag_role(RoleName=old.id, Tags=tag_list(tags))


@creates(_ROLE, replace_on=["name", "path"], named_by="name", retag=_retag_role)
def role(aws: Aws, args: Arguments) -> Created:
    args.ignore("forceDetachPolicies")
    made = aws.client("iam").create_role(
        RoleName=args["name"],
        AssumeRolePolicyDocument=args["assumeRolePolicy"],
        **args.pascal("path", "description", "maxSessionDuration", "permissionsBoundary"),
        Tags=tag_list(args.tags),
    )["Role"]
    return Created(args["name"], {"arn": made["Arn"], "uniqueId": made["RoleId"]})


@updates(_ROLE)
def update_role(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    iam = aws.client("iam")
    args.ignore("name", "path", "forceDetachPolicies")
    iam.update_assume_role_policy(RoleName=old.id, PolicyDocument=args["assumeRolePolicy"])
    iam.update_role(RoleName=old.id, **args.pascal("description", "maxSessionDuration"))
    if "permissionsBoundary" in args:
        iam.put_role_permissions_boundary(RoleName=old.id, **args.pascal("permissionsBoundary"))
    elif old.inputs.get("permissionsBoundary"):
        iam.delete_role_permissions_boundary(RoleName=old.id)
    return {}


@deletes(_ROLE)
def delete_role(aws: Aws, old: ResourceState) -> None:
    aws.client("iam").delete_role(RoleName=old.id)


@creates(_INLINE, replace_on=["name", "role"], put=True)
def role_policy(aws: Aws, args: Arguments) -> Created:
    aws.client("iam").put_role_policy(
        RoleName=args["role"], PolicyName=args["name"], PolicyDocument=args["policy"]
    )
    return Created(f"{args['role']}:{args['name']}")


@deletes(_INLINE)
def delete_role_policy(aws: Aws, old: ResourceState) -> None:
    aws.client("iam").delete_role_policy(RoleName=old.inputs["role"], PolicyName=old.inputs["name"])


@creates(_ATTACHMENT)
def role_policy_attachment(aws: Aws, args: Arguments) -> Created:
    aws.client("iam").attach_role_policy(RoleName=args["role"], **args.pascal("policyArn"))
    return Created(f"{args['role']}/{args['policyArn']}")


@deletes(_ATTACHMENT)
def delete_role_policy_attachment(aws: Aws, old: ResourceState) -> None:
    aws.client("iam").detach_role_policy(RoleName=old.inputs["role"], PolicyArn=old.inputs["policyArn"])


def _retag_policy(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    iam = aws.client("iam")
    if gone := [key for key in old.tags if key not in tags]:
        iam.untag_policy(PolicyArn=old.id, TagKeys=gone)
    iam.tag_policy(PolicyArn=old.id, Tags=tag_list(tags))


@creates(_POLICY, replace_on=["name", "path", "description"], named_by="name", retag=_retag_policy)
def policy(aws: Aws, args: Arguments) -> Created:
    made = aws.client("iam").create_policy(
        PolicyName=args["name"],
        PolicyDocument=args["policy"],
        **args.pascal("path", "description"),
        Tags=tag_list(args.tags),
    )["Policy"]
    return Created(made["Arn"], {"arn": made["Arn"], "policyId": made["PolicyId"]})


@updates(_POLICY)
def update_policy(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    """A new default version; the one before goes, since AWS keeps five at most."""
    iam = aws.client("iam")
    args.ignore("name", "path", "description")
    before = iam.get_policy(PolicyArn=old.id)["Policy"]["DefaultVersionId"]
    iam.create_policy_version(PolicyArn=old.id, PolicyDocument=args["policy"], SetAsDefault=True)
    iam.delete_policy_version(PolicyArn=old.id, VersionId=before)
    return {}


@deletes(_POLICY)
def delete_policy(aws: Aws, old: ResourceState) -> None:
    aws.client("iam").delete_policy(PolicyArn=old.id)


def _retag_provider(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    iam = aws.client("iam")
    if gone := [key for key in old.tags if key not in tags]:
        iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=old.id, TagKeys=gone)
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=old.id, Tags=tag_list(tags))


@creates(_OIDC, replace_on=["url"], named_by="url", retag=_retag_provider)
def open_id_connect_provider(aws: Aws, args: Arguments) -> Created:
    made = aws.client("iam").create_open_id_connect_provider(
        Url=args["url"],
        ClientIDList=args["clientIdLists"],
        # AWS finds the thumbprint itself when none is given; moto wants a list.
        ThumbprintList=args.get("thumbprintLists", []),
        Tags=tag_list(args.tags),
    )
    arn = made["OpenIDConnectProviderArn"]
    return Created(arn, {"arn": arn, "thumbprintLists": args.get("thumbprintLists", [])})


@deletes(_OIDC)
def delete_open_id_connect_provider(aws: Aws, old: ResourceState) -> None:
    aws.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=old.id)
