"""What the control plane may do in AWS: each of its inline policies, statement by statement."""

from collections.abc import Sequence

from pulumi import Input, Output

from infra.account import Account
from infra.policies import Statement

TABLE_ACTIONS = (
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)


def artifacts(bucket_arn: Input[str]) -> list[Statement]:
    """Write and read artifacts. The guide looks this policy up by its name, `s3-access`."""
    return [
        Statement(
            sid="Objects",
            actions=["s3:GetObject", "s3:PutObject"],
            resources=[Output.concat(bucket_arn, "/*")],
        ),
        # Without it, S3 answers 403 rather than 404 for an object that does not exist.
        Statement(sid="Listing", actions=["s3:ListBucket"], resources=[bucket_arn]),
    ]


def tables(arns: Sequence[Input[str]], audit_arn: Input[str]) -> list[Statement]:
    """Read and write items of the stack's tables; no scans, and nothing about the tables themselves."""
    indexes = [Output.concat(arn, "/index/*") for arn in arns]
    return [
        Statement(sid="Items", actions=TABLE_ACTIONS, resources=[*arns, *indexes]),
        # The audit trail is written in batches (ADR 0027); nothing else is.
        Statement(sid="Trail", actions=["dynamodb:BatchWriteItem"], resources=[audit_arn]),
    ]


def queues(launch_arn: Input[str], events_arn: Input[str]) -> list[Statement]:
    """Send and take launches, take events."""
    take = [
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    ]
    return [
        Statement(sid="Send", actions=["sqs:SendMessage"], resources=[launch_arn]),
        Statement(sid="Take", actions=take, resources=[launch_arn, events_arn]),
    ]


def tasks(
    account: Account,
    cluster_name: str,
    service_name: str,
    families: Sequence[str],
    passed_roles: Sequence[Input[str]],
) -> list[Statement]:
    """Run, stop and describe the agents' tasks in the stack's cluster."""
    cluster = account.arn("ecs", f"cluster/{cluster_name}")
    own_tasks = account.arn("ecs", f"task/{cluster_name}/*")
    in_cluster = {"ArnEquals": {"ecs:cluster": cluster}}
    return [
        Statement(
            sid="Run",
            actions=["ecs:RunTask"],
            resources=[account.arn("ecs", f"task-definition/{family}:*") for family in families],
            conditions=in_cluster,
        ),
        Statement(
            sid="TagWhenRun",
            actions=["ecs:TagResource"],
            resources=[own_tasks],
            conditions={"StringEquals": {"ecs:CreateAction": "RunTask"}},
        ),
        Statement(
            sid="Tasks",
            actions=["ecs:DescribeTasks", "ecs:StopTask"],
            resources=[own_tasks],
            conditions=in_cluster,
        ),
        Statement(
            sid="Replicas",
            actions=["ecs:DescribeServices"],
            resources=[account.arn("ecs", f"service/{cluster_name}/{service_name}")],
            conditions=in_cluster,
        ),
        Statement(
            sid="ListTasks",
            actions=["ecs:ListTasks"],
            any_resource="ListTasks names container instances, which Fargate has none of; "
            "the cluster is the condition",
            conditions=in_cluster,
        ),
        Statement(
            sid="TaskDefinitions",
            actions=["ecs:DescribeTaskDefinition"],
            any_resource="AWS has no resource level for DescribeTaskDefinition",
        ),
        Statement(
            sid="PassWorkerRoles",
            actions=["iam:PassRole"],
            resources=passed_roles,
            conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
    ]


def agents_logs(log_group_arns: Sequence[Input[str]]) -> list[Statement]:
    """Read the agents' logs."""
    return [
        Statement(
            sid="Read",
            actions=["logs:FilterLogEvents", "logs:GetLogEvents"],
            resources=[
                Output.concat(arn, suffix) for arn in log_group_arns for suffix in (":*", ":log-stream:*")
            ],
        )
    ]


def secrets(agents: Sequence[Input[str]], github: Input[str]) -> list[Statement]:
    """See whether an agent's key has a value (not the value), and read GitHub's token."""
    return [
        Statement(sid="Look", actions=["secretsmanager:DescribeSecret"], resources=[*agents, github]),
        Statement(sid="GitHub", actions=["secretsmanager:GetSecretValue"], resources=[github]),
    ]


def key(key_arn: Input[str], region: str) -> list[Statement]:
    """Use the stack's key, through the services whose data it encrypts."""
    services = [
        f"{service}.{region}.amazonaws.com" for service in ("dynamodb", "s3", "secretsmanager", "sqs")
    ]
    return [
        Statement(
            sid="Use",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=[key_arn],
            conditions={"StringEquals": {"kms:ViaService": services}},
        )
    ]
