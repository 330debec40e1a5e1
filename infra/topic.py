"""The topic that tells people of alarms."""

from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from infra.account import Account
from infra.policies import Statement, policy
from outpost.names import Names


@dataclass(frozen=True, kw_only=True)
class AlarmTopicArgs:
    """`email` is subscribed when it is not empty; the address has to confirm."""

    names: Names
    account: Account
    key_arn: Input[str]
    email: str


class AlarmTopic(ComponentResource):
    """An encrypted topic that CloudWatch and EventBridge may publish to."""

    arn: Output[str]

    def __init__(self, name: str, args: AlarmTopicArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:monitoring:AlarmTopic", name, {}, opts)
        child = ResourceOptions(parent=self)
        topic = aws.sns.Topic(name, name=args.names.alarm_topic, kms_master_key_id=args.key_arn, opts=child)
        aws.sns.TopicPolicy(
            name,
            arn=topic.arn,
            policy=policy(
                Statement(
                    sid="Alarms",
                    actions=["sns:Publish"],
                    resources=[topic.arn],
                    principals={"Service": "cloudwatch.amazonaws.com"},
                    conditions={"StringEquals": {"aws:SourceAccount": args.account.id}},
                ),
                Statement(
                    # Without a condition: EventBridge does not tell SNS whose rule it is, so a condition
                    # would refuse every event (EventBridge user guide, resource-based policies).
                    sid="Events",
                    actions=["sns:Publish"],
                    resources=[topic.arn],
                    principals={"Service": "events.amazonaws.com"},
                ),
            ),
            opts=child,
        )
        if args.email:
            aws.sns.TopicSubscription(
                name, topic=topic.arn, protocol="email", endpoint=args.email, opts=child
            )
        self.arn = topic.arn
        self.register_outputs({"arn": self.arn})
