"""The launch queue, and the queue of ECS task state changes, each with a dead-letter queue."""

from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from infra.policies import Statement, policy, tls_only
from outpost.names import Names

DAY = 24 * 60 * 60  # seconds
LAUNCH_VISIBILITY = 60  # seconds a replica has for one RunTask, throttled and retried, before another tries
EVENTS_VISIBILITY = 60  # seconds a replica has for one conditional transition
LAUNCH_ATTEMPTS = 10  # receives before a launch counts as poison; throttled launches are sent anew
EVENT_ATTEMPTS = 5  # receives before an event counts as poison
LONG_POLL = 20  # seconds, SQS's longest
RETENTION = 14 * DAY  # SQS's longest; nothing is lost over a long week-end
# EventBridge retries a target for 24 hours and 185 times by default, which is also its most; then the DLQ.
EVENT_RETRY_AGE, EVENT_RETRIES = DAY, 185


@dataclass(frozen=True, kw_only=True)
class QueuesArgs:
    """`cluster_arn` is the cluster whose tasks' state changes are wanted."""

    names: Names
    cluster_arn: Input[str]
    key_arn: Input[str] | None = None


class Queues(ComponentResource):
    """Work that is wanted (launches) and news that came (events), both at least once."""

    launch: aws.sqs.Queue
    events: aws.sqs.Queue
    launch_dead_letters: aws.sqs.Queue
    events_dead_letters: aws.sqs.Queue

    def __init__(self, name: str, args: QueuesArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:messaging:Queues", name, {}, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        names = args.names
        self.launch_dead_letters = self._queue("launch-dlq", names.launch_dead_letter_queue)
        self.launch = self._queue(
            "launch", names.launch_queue, LAUNCH_VISIBILITY, (self.launch_dead_letters, LAUNCH_ATTEMPTS)
        )
        self.events_dead_letters = self._queue("events-dlq", names.events_dead_letter_queue)
        self.events = self._queue(
            "events", names.events_queue, EVENTS_VISIBILITY, (self.events_dead_letters, EVENT_ATTEMPTS)
        )
        rule = self._rule()
        self._queue_policy("launch", self.launch)
        self._queue_policy("launch-dlq", self.launch_dead_letters)
        self._queue_policy("events", self.events, rule)
        self._queue_policy("events-dlq", self.events_dead_letters, rule)
        aws.cloudwatch.EventTarget(
            f"{name}-events",
            rule=rule.name,
            target_id="events-queue",
            arn=self.events.arn,
            dead_letter_config=aws.cloudwatch.EventTargetDeadLetterConfigArgs(
                arn=self.events_dead_letters.arn
            ),
            retry_policy=aws.cloudwatch.EventTargetRetryPolicyArgs(
                maximum_event_age_in_seconds=EVENT_RETRY_AGE, maximum_retry_attempts=EVENT_RETRIES
            ),
            opts=self._child,
        )
        self.register_outputs({"launch": self.launch.url, "events": self.events.url})

    def _queue(
        self,
        suffix: str,
        queue_name: str,
        visibility: int = 30,
        poison: tuple[aws.sqs.Queue, int] | None = None,
    ) -> aws.sqs.Queue:
        encrypted_by_key = self._args.key_arn is not None
        return aws.sqs.Queue(
            f"{self._name}-{suffix}",
            name=queue_name,
            visibility_timeout_seconds=visibility,
            message_retention_seconds=RETENTION,
            receive_wait_time_seconds=LONG_POLL,
            sqs_managed_sse_enabled=None if encrypted_by_key else True,
            kms_master_key_id=self._args.key_arn,
            kms_data_key_reuse_period_seconds=300 if encrypted_by_key else None,
            redrive_policy=Output.json_dumps(
                {"deadLetterTargetArn": poison[0].arn, "maxReceiveCount": poison[1]}, sort_keys=True
            )
            if poison
            else None,
            opts=self._child,
        )

    def _rule(self) -> aws.cloudwatch.EventRule:
        return aws.cloudwatch.EventRule(
            f"{self._name}-task-state",
            name=self._args.names.events_rule,
            description="State changes of Outpost's tasks, for the control plane",
            event_pattern=Output.json_dumps(
                {
                    "source": ["aws.ecs"],
                    "detail-type": ["ECS Task State Change"],
                    "detail": {"clusterArn": [self._args.cluster_arn]},
                },
                sort_keys=True,
            ),
            opts=self._child,
        )

    def _queue_policy(
        self, suffix: str, queue: aws.sqs.Queue, rule: aws.cloudwatch.EventRule | None = None
    ) -> None:
        statements = [tls_only(queue.arn, service="sqs")]
        if rule is not None:
            statements.append(
                Statement(
                    sid="TaskStateChanges",
                    actions=["sqs:SendMessage"],
                    resources=[queue.arn],
                    principals={"Service": "events.amazonaws.com"},
                    conditions={"ArnEquals": {"aws:SourceArn": rule.arn}},
                )
            )
        aws.sqs.QueuePolicy(
            f"{self._name}-{suffix}", queue_url=queue.url, policy=policy(*statements), opts=self._child
        )
