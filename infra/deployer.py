"""The roles that a GitHub repository's workflows take on by OpenID Connect: nothing long-lived to leak."""

from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Output, ResourceOptions

from infra.account import Account
from infra.deploy_state import KEY_ALIAS
from infra.policies import Statement, policy
from outpost.names import Names

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
# The roles that this program declares, and what it does with them.
ROLE_ACTIONS = (
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListInstanceProfilesForRole",
    "iam:ListRolePolicies",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)
SERVICES_PASSED_TO = ("ecs-tasks.amazonaws.com", "vpc-flow-logs.amazonaws.com")
LINKED_ROLES = (
    "dynamodb.application-autoscaling.amazonaws.com",
    "ecs.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
    "elasticfilesystem.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
)


@dataclass(frozen=True, kw_only=True)
class DeployerArgs:
    """`repository` is `owner/name` on GitHub."""

    names: Names
    account: Account
    repository: str


class Deployer(ComponentResource):
    """A role that deploys, from the stack's GitHub environment, and one that looks, for pull requests."""

    deploy_role_arn: Output[str]
    preview_role_arn: Output[str]

    def __init__(self, name: str, args: DeployerArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:security:Deployer", name, {}, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        # AWS checks GitHub's certificate against its own trust store; no thumbprint is needed.
        self._issuer = aws.iam.OpenIdConnectProvider(
            name, url=f"https://{ISSUER}", client_id_lists=[AUDIENCE], opts=self._child
        )
        # GitHub asks the environment's reviewers before a job gets this subject (docs/adr/0013).
        deploy = self._role("deploy", f"environment:{args.names.stack}", "PowerUserAccess")
        aws.iam.RolePolicy(
            f"{name}-deploy", name="roles", role=deploy.name, policy=_roles(args.account), opts=self._child
        )
        # Metadata only: a preview compares declarations with Pulumi's state, not with what is stored.
        preview = self._role("preview", "pull_request", "job-function/ViewOnlyAccess")
        aws.iam.RolePolicy(
            f"{name}-preview", name="state", role=preview.name, policy=_state(args.account), opts=self._child
        )
        self.deploy_role_arn, self.preview_role_arn = deploy.arn, preview.arn
        self.register_outputs({"deploy_role_arn": self.deploy_role_arn})

    def _role(self, suffix: str, subject: str, managed_policy: str) -> aws.iam.Role:
        names, repository = self._args.names, self._args.repository
        role = aws.iam.Role(
            f"{self._name}-{suffix}",
            name=f"{names.cluster}-{suffix}",
            description=f"GitHub workflows of {repository} {suffix} stack {names.stack} with it",
            assume_role_policy=policy(
                Statement(
                    sid="GitHub",
                    actions=["sts:AssumeRoleWithWebIdentity"],
                    principals={"Federated": self._issuer.arn},
                    conditions={
                        "StringEquals": {
                            f"{ISSUER}:aud": AUDIENCE,
                            f"{ISSUER}:sub": f"repo:{repository}:{subject}",
                        }
                    },
                )
            ),
            opts=self._child,
        )
        aws.iam.RolePolicyAttachment(
            f"{self._name}-{suffix}",
            role=role.name,
            policy_arn=f"arn:aws:iam::aws:policy/{managed_policy}",
            opts=self._child,
        )
        return role


def _roles(account: Account) -> Output[str]:
    """What PowerUserAccess leaves out and a deployment needs: Outpost's own roles."""
    own = Output.concat("arn:aws:iam::", account.id, ":role/outpost-*")
    linked = Output.concat("arn:aws:iam::", account.id, ":role/aws-service-role/*")
    return policy(
        Statement(sid="OwnRoles", actions=ROLE_ACTIONS, resources=[own]),
        Statement(
            sid="PassOwnRoles",
            actions=["iam:PassRole"],
            resources=[own],
            conditions={"StringEquals": {"iam:PassedToService": list(SERVICES_PASSED_TO)}},
        ),
        Statement(
            sid="LinkedRoles",
            actions=["iam:CreateServiceLinkedRole"],
            resources=[linked],
            conditions={"StringEquals": {"iam:AWSServiceName": list(LINKED_ROLES)}},
        ),
    )


def _state(account: Account) -> Output[str]:
    """What a preview reads besides metadata: Pulumi's state and its key, and which images there are."""
    bucket = Output.concat("arn:aws:s3:::outpost-pulumi-", account.id, f"-{account.region}")
    return policy(
        Statement(sid="Listing", actions=["s3:ListBucket"], resources=[bucket]),
        Statement(sid="State", actions=["s3:GetObject"], resources=[Output.concat(bucket, "/*")]),
        Statement(
            sid="StateKey",
            actions=["kms:Decrypt", "kms:DescribeKey"],
            resources=[account.arn("kms", "key/*")],
            conditions={"ForAnyValue:StringEquals": {"kms:ResourceAliases": KEY_ALIAS}},
        ),
        Statement(
            sid="Images",
            actions=["ecr:DescribeImages", "ecr:DescribeRepositories"],
            resources=[account.arn("ecr", "repository/outpost-*")],
        ),
    )
