"""The alarms: one for each of the guide's issues that shows in metrics, logs or events.

What an alarm looks at is declared in the issue's runbook; this file only makes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from outpost.names import Names
from runbooks.alarms import Declared, EventAlarm, LogAlarm, MetricAlarm, alarm_name

LOG_METRICS = "Outpost"  # the namespace of metrics that come from logs
TASK_STATE = "ECS Task State Change"


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """`declared` are the runbooks' alarms; `places` fill the placeholders of their dimensions.

    `log_groups` gives the groups that a log alarm may filter, by name.
    """

    names: Names
    declared: Sequence[Declared]
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
        for each in args.declared:
            command = f"invoke diagnose --alarm {alarm_name(args.names.stack, each.name)}"
            if isinstance(each.alarm, MetricAlarm):
                self._metric_alarm(each.name, f"{each.title}. Find the cause: {command}", each.alarm)
            elif isinstance(each.alarm, LogAlarm):
                self._log_alarm(each.name, f"{each.title}. Find the cause: {command}", each.alarm)
            elif isinstance(each.alarm, EventAlarm):
                self._event_rule(each.name, each.title, command, each.alarm)
        self.register_outputs({})

    def _metric_alarm(self, name: str, description: str, alarm: MetricAlarm) -> None:
        full_name = alarm_name(self._args.names.stack, name)
        dimensions = {
            dimension: Output.format(value, **self._args.places) for dimension, value in alarm.dimensions
        }
        self.arns[name] = aws.cloudwatch.MetricAlarm(
            full_name,
            name=full_name,
            alarm_description=description,
            **(_sum(alarm, dimensions) if alarm.plus else _single(alarm, dimensions)),
            threshold=alarm.threshold,
            comparison_operator=alarm.comparison,
            evaluation_periods=alarm.evaluation_periods,
            datapoints_to_alarm=alarm.datapoints or None,
            treat_missing_data=alarm.treat_missing,
            alarm_actions=[self._args.topic_arn],
            ok_actions=[self._args.topic_arn],
            opts=self._child,
        ).arn

    def _log_alarm(self, name: str, description: str, alarm: LogAlarm) -> None:
        full_name = alarm_name(self._args.names.stack, name)
        aws.cloudwatch.LogMetricFilter(
            full_name,
            name=full_name,
            log_group_name=self._args.log_groups[alarm.log_group],
            pattern=alarm.pattern,
            metric_transformation=aws.cloudwatch.LogMetricFilterMetricTransformationArgs(
                namespace=LOG_METRICS, name=name, value="1", default_value="0"
            ),
            opts=self._child,
        )
        counted = MetricAlarm(
            namespace=LOG_METRICS,
            metric=name,
            statistic="Sum",
            threshold=alarm.threshold,
            period=alarm.period,
        )
        self._metric_alarm(name, description, counted)

    def _event_rule(self, name: str, title: str, command: str, alarm: EventAlarm) -> None:
        full_name = alarm_name(self._args.names.stack, name)
        pattern = dict(alarm.event_pattern)
        if pattern["detail-type"] == [TASK_STATE]:
            pattern["detail"] = {**pattern.get("detail", {}), "clusterArn": [self._args.cluster_arn]}
        else:  # of a service: its ARN, which begins with the cluster's, is all that tells whose it is
            services = Output.from_input(self._args.cluster_arn).apply(_services)
            pattern["resources"] = [{"prefix": services}]
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
                input_paths={"reason": alarm.reason, "subject": alarm.subject},
                input_template=f'"{title}: <reason> (<subject>). Find the cause: {command}"',
            ),
            opts=self._child,
        )


def _single(alarm: MetricAlarm, dimensions: dict[str, Output[str]]) -> dict[str, Any]:
    return {
        "namespace": alarm.namespace,
        "metric_name": alarm.metric,
        # A percentile, such as p95, goes under another name than CloudWatch's five plain statistics.
        "statistic": None if _percentile(alarm) else alarm.statistic,
        "extended_statistic": alarm.statistic if _percentile(alarm) else None,
        "period": alarm.period,
        "dimensions": dimensions,
    }


def _sum(alarm: MetricAlarm, dimensions: dict[str, Output[str]]) -> dict[str, Any]:
    """Several metrics as one, of which what was not reported is filled.

    An alarm on a metric of DynamoDB itself ignores missing data, whatever it is set to (PutMetricAlarm): it
    would stay in ALARM for ever, since throttling is reported only while there is some.
    """
    metrics = {f"m{number}": metric for number, metric in enumerate((alarm.metric, *alarm.plus))}
    queries = [
        aws.cloudwatch.MetricAlarmMetricQueryArgs(
            id=identity,
            return_data=False,
            metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
                namespace=alarm.namespace,
                metric_name=metric,
                dimensions=dimensions,
                period=alarm.period,
                stat=alarm.statistic,
            ),
        )
        for identity, metric in metrics.items()
    ]
    added = aws.cloudwatch.MetricAlarmMetricQueryArgs(
        id="total",
        expression=" + ".join(f"FILL({identity}, 0)" for identity in metrics),
        label=" + ".join(metrics.values()),
        return_data=True,
    )
    return {"metric_queries": [added, *queries]}


def _services(cluster_arn: str) -> str:
    """How the ARNs of a cluster's services begin."""
    place, _, cluster = cluster_arn.rpartition("/")
    return f"{place.rpartition(':')[0]}:service/{cluster}/"


def _percentile(alarm: MetricAlarm) -> bool:
    return alarm.statistic.startswith("p")
