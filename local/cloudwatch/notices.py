"""What CloudWatch says when an alarm changes state: to SNS, to EventBridge, and in the alarm's history."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from local.aws.moto_app import ACCOUNT, REGION
from local.cloudwatch.evaluation import Outcome, Rule

REGION_NAME = "US East (N. Virginia)"


def reason_data(rule: Rule, outcome: Outcome, end: int, alarm: Any) -> dict[str, Any]:
    """StateReasonData: what was evaluated, oldest first."""
    evaluated = list(reversed(outcome.evaluated))
    start = evaluated[0][0] if evaluated else end - rule.period
    return {
        "version": "1.0",
        "queryDate": _iso(datetime.now(UTC)),
        "startDate": _iso(datetime.fromtimestamp(start, UTC)),
        **({"statistic": alarm.statistic} if alarm.statistic else {}),
        "period": rule.period,
        "recentDatapoints": [value for _, value in evaluated],
        "threshold": rule.threshold,
        "evaluatedDatapoints": [
            {"timestamp": _iso(datetime.fromtimestamp(at, UTC)), "value": value}
            for at, value in outcome.evaluated
        ],
    }


def message(alarm: Any, old: str) -> tuple[str, str]:
    """Subject and body of the notification of a state that has come about."""
    subject = f'{alarm.state_value}: "{alarm.name}" in {REGION_NAME}'
    body = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": _iso(alarm.configuration_updated_timestamp),
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": _iso(alarm.state_updated_timestamp),
        "Region": REGION_NAME,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": old,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": _trigger(alarm),
    }
    return subject[:100], json.dumps(body)


def event(alarm: Any, old: dict[str, str]) -> dict[str, Any]:
    """CloudWatch user guide, "Alarm events and EventBridge": CloudWatch Alarm State Change."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": ACCOUNT,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [alarm.alarm_arn],
        "detail": {
            "alarmName": alarm.name,
            "state": state(alarm),
            "previousState": old,
            "configuration": {"description": alarm.description, "metrics": _metrics(alarm)},
        },
    }


def state(alarm: Any) -> dict[str, str]:
    return {
        "value": alarm.state_value,
        "reason": alarm.state_reason,
        "reasonData": alarm.state_reason_data,
        "timestamp": _iso(alarm.state_updated_timestamp),
    }


def _trigger(alarm: Any) -> dict[str, Any]:
    shared = {
        "Period": alarm.period,
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm or alarm.evaluation_periods,
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.treat_missing_data or "",
        "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
    }
    if alarm.metric_data_queries:
        return shared | {"Metrics": _metrics(alarm)}
    percentile = bool(alarm.extended_statistic)
    return shared | {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        "StatisticType": "ExtendedStatistic" if percentile else "Statistic",
        ("ExtendedStatistic" if percentile else "Statistic"): alarm.extended_statistic
        or alarm.statistic.upper(),
        "Unit": alarm.unit,
        "Dimensions": [{"name": each.name, "value": each.value} for each in alarm.dimensions],
    }


def _metrics(alarm: Any) -> list[dict[str, Any]]:
    """As EventBridge and math alarms show them."""
    if not alarm.metric_data_queries:
        stat = _metric(alarm.namespace, alarm.metric_name, alarm.dimensions)
        wanted = {"metric": stat, "period": alarm.period, "stat": alarm.extended_statistic or alarm.statistic}
        return [{"id": str(uuid4()), "metricStat": wanted, "returnData": True}]
    shown = []
    for query in alarm.metric_data_queries:
        one: dict[str, Any] = {"id": query.id, "returnData": query.return_data is not False}
        if query.metric_stat:
            metric = query.metric_stat.metric
            one["metricStat"] = {
                "metric": _metric(metric.namespace, metric.metric_name, metric.dimensions),
                "period": query.metric_stat.period,
                "stat": query.metric_stat.stat,
            }
        else:
            one["expression"] = query.expression
        shown.append(one)
    return shown


def _metric(namespace: str, name: str, dimensions: Any) -> dict[str, Any]:
    return {
        "namespace": namespace,
        "name": name,
        "dimensions": {each.name: each.value for each in dimensions},
    }


def _iso(moment: datetime) -> str:
    """moto's times have no zone and are UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}+0000"
