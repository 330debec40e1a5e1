"""The alarms: one for each of the guide's issues that shows in metrics, logs or events.

What an alarm looks at is declared in the issue's runbook; this file only makes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from outpost.names import Names
from runbooks.alarms import DEAD_LETTERS, Alarm, EventAlarm, LogAlarm, MetricAlarm, alarm_name

LOG_METRICS = "Outpost"  # the namespace of metrics that come from logs


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """`declared` are issue, title and alarm; `places` fill the placeholders of their dimensions.

    `log_groups` gives the groups that a log alarm may filter, by name.
    """

    names: Names
    declared: Sequence[tuple[str, str, Alarm]]
    places: Mapping[str, Input[str]]
    log_groups: Mapping[str, Input[str]]
    cluster_arn: Input[str]
    topic_arn: Input[str]


class Alarms(ComponentResource):
    """CloudWatch alarms and EventBridge rules that tell the topic, each with the command that explains it."""

    arns: dict[str, Output[str]]

    def __init__(self, name: str, args: AlarmsArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:monitoring:Alarms", name, {}, opts)
        self._args = args
        self._child = ResourceOptions(parent=self)
        self.arns = {}
        for issue, title, alarm in args.declared:
            command = f"invoke diagnose --alarm {alarm_name(args.names.stack, issue)}"
            if isinstance(alarm, MetricAlarm):
                self._metric_alarm(issue, f"{title}. Find the cause: {command}", alarm)
            elif isinstance(alarm, LogAlarm):
                self._log_alarm(issue, f"{title}. Find the cause: {command}", alarm)
            elif isinstance(alarm, EventAlarm):
                self._event_rule(issue, title, command, alarm)
        for suffix, (queue, _) in DEAD_LETTERS.items():
            self._metric_alarm(
                suffix,
                "Messages that could not be handled. Find the cause: invoke diagnose --alarm "
                + alarm_name(args.names.stack, suffix),
                MetricAlarm(
                    namespace="AWS/SQS",
                    metric="ApproximateNumberOfMessagesVisible",
                    statistic="Maximum",
                    threshold=1,
                    dimensions=(("QueueName", queue),),
                ),
            )
        self.register_outputs({})

    def _metric_alarm(self, issue: str, description: str, alarm: MetricAlarm) -> None:
        full_name = alarm_name(self._args.names.stack, issue)
        self.arns[issue] = aws.cloudwatch.MetricAlarm(
            full_name,
            name=full_name,
            alarm_description=description,
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            # A percentile, such as p95, goes under another name than CloudWatch's five plain statistics.
            statistic=None if _percentile(alarm) else alarm.statistic,
            extended_statistic=alarm.statistic if _percentile(alarm) else None,
            threshold=alarm.threshold,
            comparison_operator=alarm.comparison,
            period=alarm.period,
            evaluation_periods=alarm.evaluation_periods,
            treat_missing_data=alarm.treat_missing,
            dimensions={
                dimension: Output.format(value, **self._args.places) for dimension, value in alarm.dimensions
            },
            alarm_actions=[self._args.topic_arn],
            ok_actions=[self._args.topic_arn],
            opts=self._child,
        ).arn

    def _log_alarm(self, issue: str, description: str, alarm: LogAlarm) -> None:
        full_name = alarm_name(self._args.names.stack, issue)
        aws.cloudwatch.LogMetricFilter(
            full_name,
            name=full_name,
            log_group_name=self._args.log_groups[alarm.log_group],
            pattern=alarm.pattern,
            metric_transformation=aws.cloudwatch.LogMetricFilterMetricTransformationArgs(
                namespace=LOG_METRICS, name=issue, value="1", default_value="0"
            ),
            opts=self._child,
        )
        counted = MetricAlarm(
            namespace=LOG_METRICS,
            metric=issue,
            statistic="Sum",
            threshold=alarm.threshold,
            period=alarm.period,
        )
        self._metric_alarm(issue, description, counted)

    def _event_rule(self, issue: str, title: str, command: str, alarm: EventAlarm) -> None:
        full_name = alarm_name(self._args.names.stack, issue)
        pattern = dict(alarm.event_pattern)
        pattern["detail"] = {**pattern.get("detail", {}), "clusterArn": [self._args.cluster_arn]}
        rule = aws.cloudwatch.EventRule(
            full_name,
            name=full_name,
            description=f"{title}. Find the cause: {command}",
            event_pattern=Output.json_dumps(pattern, sort_keys=True),
            opts=self._child,
        )
        aws.cloudwatch.EventTarget(
            full_name,
            rule=rule.name,
            target_id="alarm-topic",
            arn=self._args.topic_arn,
            input_transformer=aws.cloudwatch.EventTargetInputTransformerArgs(
                input_paths={"reason": "$.detail.stoppedReason", "task": "$.detail.taskArn"},
                input_template=f'"{title}: <reason> (<task>). Find the cause: {command}"',
            ),
            opts=self._child,
        )


def _percentile(alarm: MetricAlarm) -> bool:
    return alarm.statistic.startswith("p")
