"""Lists what is in a region, service by service: what a destroyed stack must leave as it found it."""

from collections.abc import Callable
from typing import Any

from local.engine.aws import Aws

_LISTS: dict[str, Callable[[Aws], list[Any]]] = {
    "alarms": lambda aws: aws.client("cloudwatch").describe_alarms()["MetricAlarms"],
    "dashboards": lambda aws: aws.client("cloudwatch").list_dashboards()["DashboardEntries"],
    "tables": lambda aws: aws.client("dynamodb").list_tables()["TableNames"],
    "vpcs": lambda aws: aws.client("ec2").describe_vpcs()["Vpcs"],
    "subnets": lambda aws: aws.client("ec2").describe_subnets()["Subnets"],
    "groups": lambda aws: aws.client("ec2").describe_security_groups()["SecurityGroups"],
    "route tables": lambda aws: aws.client("ec2").describe_route_tables()["RouteTables"],
    "gateways": lambda aws: aws.client("ec2").describe_internet_gateways()["InternetGateways"],
    "addresses": lambda aws: aws.client("ec2").describe_addresses()["Addresses"],
    "repositories": lambda aws: aws.client("ecr").describe_repositories()["repositories"],
    "task definitions": lambda aws: aws.client("ecs").list_task_definitions()["taskDefinitionArns"],
    "file systems": lambda aws: aws.client("efs").describe_file_systems()["FileSystems"],
    "balancers": lambda aws: aws.client("elbv2").describe_load_balancers()["LoadBalancers"],
    "target groups": lambda aws: aws.client("elbv2").describe_target_groups()["TargetGroups"],
    "rules": lambda aws: aws.client("events").list_rules()["Rules"],
    "roles": lambda aws: aws.client("iam").list_roles()["Roles"],
    "aliases": lambda aws: [
        alias for alias in aws.client("kms").list_aliases()["Aliases"] if "/aws/" not in alias["AliasName"]
    ],
    "log groups": lambda aws: aws.client("logs").describe_log_groups()["logGroups"],
    "buckets": lambda aws: aws.client("s3").list_buckets()["Buckets"],
    "secrets": lambda aws: aws.client("secretsmanager").list_secrets()["SecretList"],
    "namespaces": lambda aws: aws.client("servicediscovery").list_namespaces()["Namespaces"],
    "topics": lambda aws: aws.client("sns").list_topics()["Topics"],
    "queues": lambda aws: aws.client("sqs").list_queues().get("QueueUrls", []),
}


def inventory(aws: Aws) -> dict[str, int]:
    """How many of each there are."""
    return {name: len(look(aws)) for name, look in _LISTS.items()}
