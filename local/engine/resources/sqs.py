"""SQS: queues."""

from typing import Any

from local.engine.arguments import Arguments
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState

_QUEUE = "aws:sqs/queue:Queue"
_ATTRIBUTES = {
    "visibilityTimeoutSeconds": "VisibilityTimeout",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "delaySeconds": "DelaySeconds",
    "maxMessageSize": "MaximumMessageSize",
    "redrivePolicy": "RedrivePolicy",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "policy": "Policy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "fifoQueue": "FifoQueue",
    "contentBasedDeduplication": "ContentBasedDeduplication",
}


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    sqs = aws.client("sqs")
    if gone := [key for key in old.tags if key not in tags]:
        sqs.untag_queue(QueueUrl=old.id, TagKeys=gone)
    sqs.tag_queue(QueueUrl=old.id, Tags=tags)


def _attributes(args: Arguments) -> dict[str, str]:
    given = {_ATTRIBUTES[key]: args[key] for key in _ATTRIBUTES if key in args}
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in given.items()
    }


@creates(_QUEUE, replace_on=["name", "fifoQueue"], named_by="name", retag=retag)
def queue(aws: Aws, args: Arguments) -> Created:
    url = aws.client("sqs").create_queue(
        QueueName=args["name"], Attributes=_attributes(args), tags=args.tags
    )["QueueUrl"]
    return Created(url, {"url": url, "arn": aws.arn("sqs", args["name"])})


@updates(_QUEUE)
def update_queue(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("name")
    aws.client("sqs").set_queue_attributes(QueueUrl=old.id, Attributes=_attributes(args))
    return {}


@deletes(_QUEUE)
def delete_queue(aws: Aws, old: ResourceState) -> None:
    aws.client("sqs").delete_queue(QueueUrl=old.id)


@creates("aws:sqs/queuePolicy:QueuePolicy", replace_on=["queueUrl"], put=True)
def queue_policy(aws: Aws, args: Arguments) -> Created:
    return _put(aws, args, "policy")


@creates("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy", replace_on=["queueUrl"], put=True)
def redrive_allow_policy(aws: Aws, args: Arguments) -> Created:
    return _put(aws, args, "redriveAllowPolicy")


@creates("aws:sqs/redrivePolicy:RedrivePolicy", replace_on=["queueUrl"], put=True)
def redrive_policy(aws: Aws, args: Arguments) -> Created:
    return _put(aws, args, "redrivePolicy")


def _put(aws: Aws, args: Arguments, key: str) -> Created:
    attributes = {_ATTRIBUTES[key]: args[key]}
    aws.client("sqs").set_queue_attributes(QueueUrl=args["queueUrl"], Attributes=attributes)
    return Created(args["queueUrl"])
