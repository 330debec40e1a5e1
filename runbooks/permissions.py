"""Every read that diagnosing makes, and the IAM permission that it needs.

The one table behind the read-only policy, the permission preflight and the text of a denied look. A read
that is not in it is refused, so the policy cannot fall behind the checks.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Permission:
    """An IAM action and the resources it is needed on (`{stack}`, `{region}`, `{account}` are filled in).

    `resources` is `*` only where AWS offers nothing narrower (the service authorization reference).
    """

    action: str
    resources: tuple[str, ...] = ("*",)
    condition: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()


_IN_CLUSTER = (("ArnEquals", (("ecs:cluster", "arn:aws:ecs:{region}:{account}:cluster/{cluster}"),)),)
_LOGS = ("arn:aws:logs:{region}:{account}:log-group:/ecs/outpost-*",)
_JOBS = "arn:aws:dynamodb:{region}:{account}:table/{jobs_table}"
_KEYS = "arn:aws:dynamodb:{region}:{account}:table/{api_keys_table}"
_AUDIT = "arn:aws:dynamodb:{region}:{account}:table/{audit_table}"
_WORKSPACES = "arn:aws:dynamodb:{region}:{account}:table/{workspaces_table}"

# None: the read needs no AWS permission (the API's own HTTP answers, the reader's machine).
OPERATIONS: dict[str, Permission | None] = {
    "sts:GetCallerIdentity": None,  # allowed to every principal
    "ecs:DescribeServices": Permission(
        "ecs:DescribeServices", ("arn:aws:ecs:{region}:{account}:service/{cluster}/{service}",)
    ),
    "ecs:ListTasks": Permission("ecs:ListTasks", ("*",), _IN_CLUSTER),
    "ecs:DescribeTasks": Permission(
        "ecs:DescribeTasks", ("arn:aws:ecs:{region}:{account}:task/{cluster}/*",)
    ),
    "ecs:DescribeTaskDefinition": Permission("ecs:DescribeTaskDefinition"),
    "ecs:ListTaskDefinitions": Permission("ecs:ListTaskDefinitions"),
    "ecs:DescribeClusters": Permission(
        "ecs:DescribeClusters", ("arn:aws:ecs:{region}:{account}:cluster/{cluster}",)
    ),
    "elbv2:DescribeLoadBalancers": Permission("elasticloadbalancing:DescribeLoadBalancers"),
    "elbv2:DescribeLoadBalancerAttributes": Permission("elasticloadbalancing:DescribeLoadBalancerAttributes"),
    "elbv2:DescribeTargetGroups": Permission("elasticloadbalancing:DescribeTargetGroups"),
    "elbv2:DescribeTargetHealth": Permission("elasticloadbalancing:DescribeTargetHealth"),
    "ec2:DescribeSubnets": Permission("ec2:DescribeSubnets"),
    "ec2:DescribeSecurityGroups": Permission("ec2:DescribeSecurityGroups"),
    "ec2:DescribeRouteTables": Permission("ec2:DescribeRouteTables"),
    "ec2:DescribeNatGateways": Permission("ec2:DescribeNatGateways"),
    "ec2:DescribeVpcEndpoints": Permission("ec2:DescribeVpcEndpoints"),
    "efs:DescribeFileSystems": Permission("elasticfilesystem:DescribeFileSystems"),
    "efs:DescribeMountTargets": Permission(
        "elasticfilesystem:DescribeMountTargets",
        ("arn:aws:elasticfilesystem:{region}:{account}:file-system/*",),
    ),
    "efs:DescribeMountTargetSecurityGroups": Permission(
        "elasticfilesystem:DescribeMountTargetSecurityGroups",
        ("arn:aws:elasticfilesystem:{region}:{account}:file-system/*",),
    ),
    "dynamodb:DescribeTable": Permission("dynamodb:DescribeTable", (_JOBS, _KEYS, _AUDIT, _WORKSPACES)),
    "dynamodb:Query": Permission("dynamodb:Query", (_JOBS,)),
    "dynamodb:Scan": Permission("dynamodb:Scan", (_KEYS,)),
    "application-autoscaling:DescribeScalableTargets": Permission(
        "application-autoscaling:DescribeScalableTargets"
    ),
    "application-autoscaling:DescribeScalingActivities": Permission(
        "application-autoscaling:DescribeScalingActivities"
    ),
    "iam:ListRolePolicies": Permission("iam:ListRolePolicies", ("arn:aws:iam::{account}:role/outpost-*",)),
    "iam:GetRolePolicy": Permission("iam:GetRolePolicy", ("arn:aws:iam::{account}:role/outpost-*",)),
    "iam:ListAttachedRolePolicies": Permission(
        "iam:ListAttachedRolePolicies", ("arn:aws:iam::{account}:role/outpost-*",)
    ),
    "iam:GetPolicy": Permission("iam:GetPolicy"),
    "iam:GetPolicyVersion": Permission("iam:GetPolicyVersion"),
    "secretsmanager:ListSecrets": Permission("secretsmanager:ListSecrets"),
    "service-quotas:GetServiceQuota": Permission("servicequotas:GetServiceQuota"),
    "logs:FilterLogEvents": Permission("logs:FilterLogEvents", _LOGS),
    "logs:GetLogEvents": Permission("logs:GetLogEvents", _LOGS),
    "cloudwatch:GetMetricData": Permission("cloudwatch:GetMetricData"),
    "cloudwatch:DescribeAlarmHistory": Permission("cloudwatch:DescribeAlarmHistory"),
    "s3:GetBucketPolicy": Permission("s3:GetBucketPolicy", ("arn:aws:s3:::outpost-artifacts-{stack}*",)),
    "http:Get": None,
    "client:Environment": None,
    "client:Configuration": None,
    "client:Version": None,
    "client:Processes": None,
}


def permission_for(operation: str) -> str:
    """The IAM action that a read needs; empty when it needs none."""
    permission = OPERATIONS.get(operation)
    return permission.action if permission else ""
