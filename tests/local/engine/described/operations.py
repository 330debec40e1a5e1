"""IAM, secrets, queues, events, logs, alarms, topics."""

import json
from typing import Any

from local.engine.aws import Aws
from local.engine.state import ResourceState
from tests.local.engine.described.reading import camel, pairs, reads


@reads("aws:iam/role:Role")
def role(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("iam").get_role(RoleName=state.id)["Role"]
    return {
        **camel(found),
        "name": found["RoleName"],
        "assumeRolePolicy": json.dumps(found["AssumeRolePolicyDocument"]),
        "tags": pairs(found.get("Tags", [])),
    }


@reads("aws:iam/rolePolicy:RolePolicy")
def role_policy(aws: Aws, state: ResourceState) -> dict[str, Any]:
    name, policy = state.id.split(":", 1)
    found = aws.client("iam").get_role_policy(RoleName=name, PolicyName=policy)
    return {"role": name, "name": policy, "policy": json.dumps(found["PolicyDocument"])}


@reads("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
def role_policy_attachment(aws: Aws, state: ResourceState) -> dict[str, Any]:
    role_name = state.inputs["role"]
    found = aws.client("iam").list_attached_role_policies(RoleName=role_name)["AttachedPolicies"]
    arns = [policy["PolicyArn"] for policy in found]
    return {"role": role_name, "policyArn": next(a for a in arns if a == state.inputs["policyArn"])}


@reads("aws:iam/openIdConnectProvider:OpenIdConnectProvider")
def open_id_connect_provider(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=state.id)
    return {
        "url": f"https://{found['Url'].removeprefix('https://')}",
        "clientIdLists": found["ClientIDList"],
        "thumbprintLists": found["ThumbprintList"],
        "tags": pairs(found.get("Tags", [])),
    }


@reads("aws:secretsmanager/secret:Secret")
def secret(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("secretsmanager").describe_secret(SecretId=state.id)
    return {**camel(found), "tags": pairs(found.get("Tags", []))}


@reads("aws:secretsmanager/secretVersion:SecretVersion")
def secret_version(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("secretsmanager").get_secret_value(SecretId=state.inputs["secretId"])
    return {"secretId": found["ARN"], "secretString": found["SecretString"]}


_QUEUE = {
    "visibilityTimeoutSeconds": "VisibilityTimeout",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
}


def _queue(aws: Aws, url: str) -> dict[str, str]:
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return dict(answer["Attributes"])


@reads("aws:sqs/queue:Queue")
def queue(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = _queue(aws, state.id)
    numbers = {key: int(found[name]) for key, name in _QUEUE.items() if name in found}
    return {
        **numbers,
        "name": found["QueueArn"].rpartition(":")[2],
        "redrivePolicy": found.get("RedrivePolicy"),
        "sqsManagedSseEnabled": found.get("SqsManagedSseEnabled") == "true",
        "kmsMasterKeyId": found.get("KmsMasterKeyId"),
        "tags": aws.client("sqs").list_queue_tags(QueueUrl=state.id).get("Tags", {}),
    }


@reads("aws:sqs/queuePolicy:QueuePolicy")
def queue_policy(aws: Aws, state: ResourceState) -> dict[str, Any]:
    return {"queueUrl": state.id, "policy": _queue(aws, state.id)["Policy"]}


@reads("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy")
def redrive_allow_policy(aws: Aws, state: ResourceState) -> dict[str, Any]:
    return {"queueUrl": state.id, "redriveAllowPolicy": _queue(aws, state.id).get("RedriveAllowPolicy")}


@reads("aws:cloudwatch/eventRule:EventRule")
def event_rule(aws: Aws, state: ResourceState) -> dict[str, Any]:
    events = aws.client("events")
    found = events.describe_rule(Name=state.id)
    tags = events.list_tags_for_resource(ResourceARN=found["Arn"])["Tags"]
    return {**camel(found), "tags": pairs(tags)}


@reads("aws:cloudwatch/eventTarget:EventTarget")
def event_target(aws: Aws, state: ResourceState) -> dict[str, Any]:
    rule = state.inputs["rule"]
    found = aws.client("events").list_targets_by_rule(Rule=rule)["Targets"]
    one = next(target for target in found if target["Id"] == state.inputs["targetId"])
    transformer = one.get("InputTransformer", {})
    return {
        **camel({key: value for key, value in one.items() if key != "InputTransformer"}),
        "rule": rule,
        "targetId": one["Id"],
        "inputTransformer": {
            "inputPaths": transformer.get("InputPathsMap"),
            "inputTemplate": transformer.get("InputTemplate"),
        },
    }


@reads("aws:cloudwatch/logGroup:LogGroup")
def log_group(aws: Aws, state: ResourceState) -> dict[str, Any]:
    logs = aws.client("logs")
    found = logs.describe_log_groups(logGroupNamePrefix=state.id)["logGroups"]
    one = next(group for group in found if group["logGroupName"] == state.id)
    tags = logs.list_tags_for_resource(resourceArn=state.outputs["arn"])["tags"]
    return {**one, "name": one["logGroupName"], "tags": tags}


@reads("aws:cloudwatch/logMetricFilter:LogMetricFilter")
def log_metric_filter(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("logs").describe_metric_filters(
        logGroupName=state.inputs["logGroupName"], filterNamePrefix=state.id
    )["metricFilters"]
    one = next(metric for metric in found if metric["filterName"] == state.id)
    transformation = one["metricTransformations"][0]
    default = transformation.get("defaultValue")
    return {
        "name": one["filterName"],
        "logGroupName": one["logGroupName"],
        "pattern": one["filterPattern"],
        "metricTransformation": {
            "name": transformation["metricName"],
            "namespace": transformation["metricNamespace"],
            "value": transformation["metricValue"],
            "defaultValue": None if default is None else f"{default:g}",
        },
    }


@reads("aws:cloudwatch/metricAlarm:MetricAlarm")
def metric_alarm(aws: Aws, state: ResourceState) -> dict[str, Any]:
    cloudwatch = aws.client("cloudwatch")
    found = cloudwatch.describe_alarms(AlarmNames=[state.id])["MetricAlarms"][0]
    tags = cloudwatch.list_tags_for_resource(ResourceARN=found["AlarmArn"])["Tags"]
    return {
        **camel(found),
        "name": found["AlarmName"],
        "okActions": found["OKActions"],
        "dimensions": pairs(found["Dimensions"], "Name"),
        "metricQueries": [_query(query) for query in found.get("Metrics", [])],
        "tags": pairs(tags),
    }


def _query(found: dict[str, Any]) -> dict[str, Any]:
    """The provider writes a query's metric and how it is asked for as one."""
    query = dict(camel(found))
    if "MetricStat" in found:
        stat = found["MetricStat"]
        dimensions = {"dimensions": pairs(stat["Metric"]["Dimensions"], "Name")}
        query["metric"] = camel(stat["Metric"]) | camel(stat) | dimensions
    return query


@reads("aws:cloudwatch/dashboard:Dashboard")
def dashboard(aws: Aws, state: ResourceState) -> dict[str, Any]:
    return dict(camel(aws.client("cloudwatch").get_dashboard(DashboardName=state.id)))


@reads("aws:sns/topic:Topic")
def topic(aws: Aws, state: ResourceState) -> dict[str, Any]:
    sns = aws.client("sns")
    found = sns.get_topic_attributes(TopicArn=state.id)["Attributes"]
    tags = sns.list_tags_for_resource(ResourceArn=state.id)["Tags"]
    return {**camel(found), "name": found["TopicArn"].rpartition(":")[2], "tags": pairs(tags)}


@reads("aws:sns/topicPolicy:TopicPolicy")
def topic_policy(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = aws.client("sns").get_topic_attributes(TopicArn=state.id)["Attributes"]
    return {"arn": found["TopicArn"], "policy": found["Policy"]}


@reads("aws:sns/topicSubscription:TopicSubscription")
def subscription(aws: Aws, state: ResourceState) -> dict[str, Any]:
    found = camel(aws.client("sns").get_subscription_attributes(SubscriptionArn=state.id)["Attributes"])
    return {**found, "topic": found["topicArn"]}
