"""SNS: topics."""

from typing import Any

from local.engine.arguments import Arguments, tag_list
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState

_TOPIC = "aws:sns/topic:Topic"
_SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
_ATTRIBUTES = {
    "displayName": "DisplayName",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "deliveryPolicy": "DeliveryPolicy",
    "policy": "Policy",
}


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    sns = aws.client("sns")
    if gone := [key for key in old.tags if key not in tags]:
        sns.untag_resource(ResourceArn=old.id, TagKeys=gone)
    sns.tag_resource(ResourceArn=old.id, Tags=tag_list(tags))


@creates(_TOPIC, replace_on=["name"], named_by="name", retag=retag)
def topic(aws: Aws, args: Arguments) -> Created:
    attributes = {_ATTRIBUTES[key]: args[key] for key in _ATTRIBUTES if key in args}
    arn = aws.client("sns").create_topic(Name=args["name"], Attributes=attributes, Tags=tag_list(args.tags))[
        "TopicArn"
    ]
    return Created(arn, {"arn": arn, "owner": aws.account})


@updates(_TOPIC)
def update_topic(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("name")
    for key, name in _ATTRIBUTES.items():
        if args.get(key) != old.inputs.get(key):
            aws.client("sns").set_topic_attributes(
                TopicArn=old.id, AttributeName=name, AttributeValue=args.get(key, "")
            )
    args.ignore(*_ATTRIBUTES)
    return {}


@deletes(_TOPIC)
def delete_topic(aws: Aws, old: ResourceState) -> None:
    aws.client("sns").delete_topic(TopicArn=old.id)


@creates("aws:sns/topicPolicy:TopicPolicy", replace_on=["arn"], put=True)
def topic_policy(aws: Aws, args: Arguments) -> Created:
    aws.client("sns").set_topic_attributes(
        TopicArn=args["arn"], AttributeName="Policy", AttributeValue=args["policy"]
    )
    return Created(args["arn"], {"owner": aws.account})


@creates(_SUBSCRIPTION)
def subscription(aws: Aws, args: Arguments) -> Created:
    arn = aws.client("sns").subscribe(
        TopicArn=args["topic"],
        **args.pascal("protocol", "endpoint"),
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    return Created(arn, {"arn": arn, "ownerId": aws.account})


@deletes(_SUBSCRIPTION)
def delete_subscription(aws: Aws, old: ResourceState) -> None:
    aws.client("sns").unsubscribe(SubscriptionArn=old.id)
