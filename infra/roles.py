"""The roles that tasks run with. An agent's container has none: it runs code that nobody reviewed.

An execution role is what ECS itself uses to start a container (pull, secrets, logs); the code inside
cannot reach it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from infra.account import Account
from infra.ordering import once
from infra.policies import Statement, policy, trust

TASKS = "ecs-tasks.amazonaws.com"


@dataclass(frozen=True)
class TaskRole:
    """A role whose ARN is known once its policies are in place: a task that starts earlier is denied."""

    arn: Output[str]


def role(
    name: str,
    role_name: str,
    description: str,
    account: Account,
    policies: dict[str, Sequence[Statement]],
    opts: ResourceOptions,
) -> TaskRole:
    """A role for ECS tasks of this account, with its inline policies."""
    created = aws.iam.Role(
        name,
        name=role_name,
        description=description,
        assume_role_policy=trust(TASKS, account.id),
        opts=opts,
    )
    inline = [
        aws.iam.RolePolicy(
            f"{name}-{policy_name}",
            name=policy_name,
            role=created.name,
            policy=policy(*statements),
            opts=opts,
        )
        for policy_name, statements in policies.items()
    ]
    return TaskRole(once(created.arn, *inline))


def execution(
    repository_arn: Input[str],
    log_group_arn: Input[str],
    secret_arn: Input[str],
    key_arn: Input[str] | None = None,
) -> list[Statement]:
    """What ECS needs to start one container: its image, its secret, its log group, and no other."""
    statements = [
        Statement(
            sid="Login",
            actions=["ecr:GetAuthorizationToken"],
            any_resource="ECR's login token is the account's; AWS has no resource level for it",
        ),
        Statement(
            sid="Pull",
            actions=[
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ],
            resources=[repository_arn],
        ),
        Statement(
            sid="Log",
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[Output.concat(log_group_arn, ":log-stream:*")],
        ),
        Statement(sid="Secret", actions=["secretsmanager:GetSecretValue"], resources=[secret_arn]),
    ]
    if key_arn is not None:
        # Secrets only: ECR and CloudWatch Logs use grants of their own.
        statements.append(Statement(sid="DecryptSecret", actions=["kms:Decrypt"], resources=[key_arn]))
    return statements


def access_point(file_system_arn: Input[str], access_point_arn: Input[str]) -> list[Statement]:
    """Mount and write one tenant's access point, through a mount target of the VPC."""
    return [
        Statement(
            sid="OwnWorkspace",
            actions=["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
            resources=[file_system_arn],
            conditions={
                "StringEquals": {"elasticfilesystem:AccessPointArn": access_point_arn},
                "Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"},
            },
        )
    ]
