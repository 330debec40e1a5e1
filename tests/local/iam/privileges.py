"""What each role of the stack must be able to do, and what it must be refused: the tables of the test."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from outpost.agents import Agent
from outpost.names import (
    CONTROL_PLANE_FAMILY,
    CONTROL_PLANE_LOG_GROUP,
    GITHUB_SECRET,
    SERVICE,
    TASK_ROLE,
    WORKER_TOKEN_SECRET,
    Names,
    agent_secret,
    family,
    log_group,
)

NAMES = Names("dev")
KEY = {"tenantId": {"S": "least"}, "dispatchId": {"S": "privilege"}}
KEYS = {
    NAMES.jobs_table: KEY,
    NAMES.api_keys_table: {"apiKeyId": {"S": "least"}},
    NAMES.audit_table: {"tenantId": {"S": "least"}, "auditId": {"S": "a"}},
    NAMES.workspaces_table: {"tenantId": {"S": "least"}, "workspaceId": {"S": "w"}},
}
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-none"]}}
RUN = {"cluster": NAMES.cluster, "launchType": "FARGATE", "networkConfiguration": NETWORK}
ANOTHER_ROLE = "arn:aws:iam::123456789012:role/" + TASK_ROLE
EXECUTION = {agent: f"outpost-dev-{agent}-execution" for agent in Agent}
IMAGES = [{"imageTag": "2.0.0"}]
AGENT_SECRETS = {agent_secret(agent) for agent in Agent}


@dataclass(frozen=True)
class Case:
    """One call of a role. `{queue NAME}` in a parameter becomes the queue's URL."""

    call: str  # service.operation, as boto3 names them
    parameters: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.call} {json.dumps(self.parameters, default=repr)[:90]}"


def tables() -> Iterator[Case]:
    for table, key in KEYS.items():
        yield Case("dynamodb.put_item", {"TableName": table, "Item": key})
        yield Case("dynamodb.get_item", {"TableName": table, "Key": key})
        yield Case("dynamodb.batch_get_item", {"RequestItems": {table: {"Keys": [key]}}})
        check = {"TableName": table, "Key": key, "ConditionExpression": "attribute_exists(tenantId)"}
        yield Case("dynamodb.transact_write_items", {"TransactItems": [{"ConditionCheck": check}]})
        yield Case("dynamodb.delete_item", {"TableName": table, "Key": key})


def query(table: str, index: str = "") -> Case:
    named = {"IndexName": index} if index else {}
    values = {"ExpressionAttributeValues": {":v": {"S": "0"}}}
    key = "deadlineShard" if index else "tenantId"
    return Case(
        "dynamodb.query", {"TableName": table, **named, "KeyConditionExpression": f"{key} = :v", **values}
    )


def run(definition: str, **more: Any) -> Case:
    return Case("ecs.run_task", {**RUN, "taskDefinition": definition, **more})


BUCKET = NAMES.artifacts_bucket
LAUNCH, EVENTS = f"{{queue {NAMES.launch_queue}}}", f"{{queue {NAMES.events_queue}}}"
DEAD = f"{{queue {NAMES.launch_dead_letter_queue}}}"

CONTROL_PLANE_MAY = [
    *tables(),
    query(NAMES.jobs_table),
    query(NAMES.jobs_table, "deadline-index"),
    Case("s3.put_object", {"Bucket": BUCKET, "Key": "least/output.log", "Body": b"x"}),
    Case("s3.get_object", {"Bucket": BUCKET, "Key": "least/output.log"}),
    Case("s3.head_object", {"Bucket": BUCKET, "Key": "least/output.log"}),
    Case("s3.list_objects_v2", {"Bucket": BUCKET, "Prefix": "least/"}),
    Case("sqs.get_queue_attributes", {"QueueUrl": LAUNCH, "AttributeNames": ["QueueArn"]}),
    Case("sqs.change_message_visibility", {"QueueUrl": EVENTS, "ReceiptHandle": "r", "VisibilityTimeout": 0}),
    Case("sqs.delete_message", {"QueueUrl": EVENTS, "ReceiptHandle": "r"}),
    *(run(family(agent)) for agent in Agent),
    run(
        family(Agent.CLAUDE), tags=[{"key": "outpost:tenant", "value": "t"}], propagateTags="TASK_DEFINITION"
    ),
    Case("ecs.stop_task", {"cluster": NAMES.cluster, "task": "0" * 32}),
    Case("ecs.describe_tasks", {"cluster": NAMES.cluster, "tasks": ["0" * 32]}),
    Case("ecs.list_tasks", {"cluster": NAMES.cluster}),
    Case("ecs.describe_services", {"cluster": NAMES.cluster, "services": [SERVICE]}),
    Case("ecs.describe_task_definition", {"taskDefinition": family(Agent.CLAUDE)}),
    Case("logs.get_log_events", {"logGroupName": log_group(Agent.GROK), "logStreamName": "worker/worker/x"}),
    Case("logs.filter_log_events", {"logGroupName": log_group(Agent.GROK)}),
    *(Case("secretsmanager.describe_secret", {"SecretId": agent_secret(agent)}) for agent in Agent),
    Case("secretsmanager.get_secret_value", {"SecretId": GITHUB_SECRET}),
    Case("sts.get_caller_identity"),
]
CONTROL_PLANE_MAY_NOT = [
    # tables
    Case("dynamodb.get_item", {"TableName": "customers", "Key": KEY}),
    Case("dynamodb.put_item", {"TableName": "outpost-jobs-prod", "Item": KEY}),
    Case("dynamodb.transact_write_items", {"TransactItems": [
        {"Put": {"TableName": NAMES.jobs_table, "Item": KEY}},
        {"Put": {"TableName": "customers", "Item": KEY}},
    ]}),
    Case("dynamodb.batch_get_item", {"RequestItems": {"customers": {"Keys": [KEY]}}}),
    Case("dynamodb.scan", {"TableName": NAMES.jobs_table}),
    Case("dynamodb.scan", {"TableName": NAMES.api_keys_table}),
    Case("dynamodb.batch_write_item", {"RequestItems": {NAMES.jobs_table: [{"PutRequest": {"Item": KEY}}]}}),
    Case("dynamodb.execute_statement", {"Statement": f'SELECT * FROM "{NAMES.jobs_table}"'}),
    Case("dynamodb.update_table", {"TableName": NAMES.jobs_table, "DeletionProtectionEnabled": False}),
    Case("dynamodb.delete_table", {"TableName": NAMES.audit_table}),
    Case("dynamodb.list_tables"),
    # buckets and prefixes
    Case("s3.put_object", {"Bucket": "invoices", "Key": "a", "Body": b"x"}),
    Case("s3.get_object", {"Bucket": "outpost-artifacts-prod", "Key": "a"}),
    Case("s3.copy_object", {"Bucket": BUCKET, "Key": "a", "CopySource": "invoices/a"}),
    Case("s3.list_objects_v2", {"Bucket": "invoices"}),
    Case("s3.delete_object", {"Bucket": BUCKET, "Key": "least/output.log"}),
    Case("s3.put_bucket_policy", {"Bucket": BUCKET, "Policy": "{}"}),
    Case("s3.delete_bucket", {"Bucket": BUCKET}),
    Case("s3.put_object_acl", {"Bucket": BUCKET, "Key": "least/output.log", "ACL": "public-read"}),
    Case("s3.list_buckets"),
    # queues
    Case("sqs.send_message", {"QueueUrl": EVENTS, "MessageBody": "forged event"}),
    Case("sqs.receive_message", {"QueueUrl": DEAD}),
    Case("sqs.purge_queue", {"QueueUrl": LAUNCH}),
    Case("sqs.set_queue_attributes", {"QueueUrl": LAUNCH, "Attributes": {"VisibilityTimeout": "0"}}),
    Case("sqs.delete_queue", {"QueueUrl": LAUNCH}),
    # task families, clusters, other roles
    run("billing"),
    run(CONTROL_PLANE_FAMILY),
    run(family(Agent.CLAUDE), cluster="billing"),
    run(family(Agent.CLAUDE), overrides={"taskRoleArn": ANOTHER_ROLE}),
    run(family(Agent.CLAUDE), overrides={"executionRoleArn": "arn:aws:iam::123456789012:role/admin"}),
    Case("ecs.stop_task", {"cluster": "billing", "task": "0" * 32}),
    Case("ecs.describe_tasks", {"cluster": "billing", "tasks": ["0" * 32]}),
    Case("ecs.list_tasks", {"cluster": "billing"}),
    Case("ecs.tag_resource", {
        "resourceArn": f"arn:aws:ecs:us-east-1:123456789012:task/{NAMES.cluster}/{'0' * 32}",
        "tags": [{"key": "outpost:tenant", "value": "another"}],
    }),
    Case("ecs.register_task_definition", {"family": family(Agent.CLAUDE), "containerDefinitions": []}),
    Case("ecs.deregister_task_definition", {"taskDefinition": family(Agent.CLAUDE) + ":1"}),
    Case("ecs.update_service", {"cluster": NAMES.cluster, "service": SERVICE, "desiredCount": 0}),
    Case("ecs.delete_cluster", {"cluster": NAMES.cluster}),
    Case("ecs.execute_command", {
        "cluster": NAMES.cluster, "task": "0" * 32, "command": "sh", "interactive": True,
    }),
    # secrets
    *(Case("secretsmanager.get_secret_value", {"SecretId": secret}) for secret in sorted(AGENT_SECRETS)),
    Case("secretsmanager.get_secret_value", {"SecretId": WORKER_TOKEN_SECRET}),
    Case("secretsmanager.get_secret_value", {"SecretId": "billing/key"}),
    Case("secretsmanager.put_secret_value", {"SecretId": GITHUB_SECRET, "SecretString": "x"}),
    Case("secretsmanager.list_secrets"),
    # everything else
    Case("logs.get_log_events", {"logGroupName": CONTROL_PLANE_LOG_GROUP, "logStreamName": "x"}),
    Case("logs.put_log_events", {
        "logGroupName": log_group(Agent.GROK), "logStreamName": "x",
        "logEvents": [{"timestamp": 0, "message": "forged"}],
    }),
    Case("logs.delete_log_group", {"logGroupName": log_group(Agent.GROK)}),
    Case("iam.put_role_policy", {"RoleName": TASK_ROLE, "PolicyName": "more", "PolicyDocument": "{}"}),
    Case("iam.create_access_key", {"UserName": "operator"}),
    Case("iam.get_role", {"RoleName": TASK_ROLE}),
    Case("sts.assume_role", {"RoleArn": ANOTHER_ROLE, "RoleSessionName": "more"}),
    Case("ec2.describe_instances"),
    Case("ec2.authorize_security_group_ingress", {"GroupId": "sg-1", "CidrIp": "0.0.0.0/0"}),
    Case("elbv2.describe_load_balancers"),
    Case("efs.describe_file_systems"),
    Case("kms.list_keys"),
    Case("cloudwatch.put_metric_data", {"Namespace": "Outpost", "MetricData": [{"MetricName": "m"}]}),
    Case("events.put_events", {"Entries": [{"Source": "aws.ecs", "DetailType": "d", "Detail": "{}"}]}),
    Case("events.list_rules"),
    Case("ecr.get_authorization_token"),
    Case("service-quotas.list_services"),
]  # fmt: skip


def execution_may(agent: Agent) -> list[Case]:
    return [
        Case("ecr.get_authorization_token"),
        Case("ecr.batch_get_image", {"repositoryName": family(agent), "imageIds": IMAGES}),
        Case("secretsmanager.get_secret_value", {"SecretId": agent_secret(agent)}),
        Case(
            "logs.create_log_stream", {"logGroupName": log_group(agent), "logStreamName": "least/privilege"}
        ),
    ]


def execution_may_not(agent: Agent) -> list[Case]:
    """Of another agent's: all four others, in turn."""
    others = [other for other in Agent if other is not agent]
    stream = {"logStreamName": "least/privilege"}
    return [
        *(Case("secretsmanager.get_secret_value", {"SecretId": agent_secret(other)}) for other in others),
        *(Case("ecr.batch_get_image", {"repositoryName": family(o), "imageIds": IMAGES}) for o in others),
        *(Case("logs.create_log_stream", {"logGroupName": log_group(other), **stream}) for other in others),
        Case("secretsmanager.get_secret_value", {"SecretId": GITHUB_SECRET}),
        Case("secretsmanager.get_secret_value", {"SecretId": WORKER_TOKEN_SECRET}),
        Case("secretsmanager.put_secret_value", {"SecretId": agent_secret(agent), "SecretString": "x"}),
        Case("ecr.put_image", {"repositoryName": family(agent), "imageManifest": "{}"}),
        Case("logs.create_log_group", {"logGroupName": "/ecs/other"}),
        Case("logs.get_log_events", {"logGroupName": log_group(agent), **stream}),
        Case("logs.create_log_stream", {"logGroupName": CONTROL_PLANE_LOG_GROUP, **stream}),
        Case("s3.get_object", {"Bucket": BUCKET, "Key": "least/output.log"}),
        Case("dynamodb.get_item", {"TableName": NAMES.jobs_table, "Key": KEY}),
        Case("sqs.send_message", {"QueueUrl": LAUNCH, "MessageBody": "x"}),
        run(family(agent)),
        Case("sts.assume_role", {"RoleArn": ANOTHER_ROLE, "RoleSessionName": "more"}),
    ]
