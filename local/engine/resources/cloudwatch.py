"""CloudWatch: alarms and dashboards."""

from typing import Any

from local.engine.arguments import Arguments, pascal, tag_list
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes
from local.engine.state import ResourceState

_ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
_DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
# Where the provider's name is not the API's in camel case.
_NAMES = {"insufficientDataActions": "InsufficientDataActions"}


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    cloudwatch = aws.client("cloudwatch")
    if gone := [key for key in old.tags if key not in tags]:
        cloudwatch.untag_resource(ResourceARN=old.outputs["arn"], TagKeys=gone)
    cloudwatch.tag_resource(ResourceARN=old.outputs["arn"], Tags=tag_list(tags))


@creates(_ALARM, replace_on=["name"], named_by="name", put=True, retag=retag)
def metric_alarm(aws: Aws, args: Arguments) -> Created:
    alarm: dict[str, Any] = args.pascal(
        "alarmDescription",
        "namespace",
        "metricName",
        "statistic",
        "extendedStatistic",
        "comparisonOperator",
        "period",
        "evaluationPeriods",
        "datapointsToAlarm",
        "treatMissingData",
        "unit",
        "actionsEnabled",
        "alarmActions",
    )
    alarm |= {name: pascal(args[key]) for key, name in _NAMES.items() if key in args}
    if args.get("metricQueries"):
        alarm["Metrics"] = [_query(query) for query in args["metricQueries"]]
    if "okActions" in args:
        alarm["OKActions"] = args["okActions"]
    if "threshold" in args:
        alarm["Threshold"] = float(args["threshold"])
    if args.get("dimensions"):
        alarm["Dimensions"] = tag_list(args["dimensions"], "Name")
    aws.client("cloudwatch").put_metric_alarm(AlarmName=args["name"], **alarm, Tags=tag_list(args.tags))
    return Created(args["name"], {"arn": aws.arn("cloudwatch", f"alarm:{args['name']}")})


def _query(given: dict[str, Any]) -> dict[str, Any]:
    """The provider writes a query's metric and how it is asked for as one."""
    query: dict[str, Any] = pascal(given)
    if "Metric" in query:
        metric = query.pop("Metric")
        metric["Dimensions"] = tag_list(given["metric"].get("dimensions") or {}, "Name")
        stat = {name: metric.pop(name) for name in ("Period", "Stat", "Unit") if name in metric}
        query["MetricStat"] = {"Metric": metric, **stat}
    return query


@deletes(_ALARM)
def delete_metric_alarm(aws: Aws, old: ResourceState) -> None:
    aws.client("cloudwatch").delete_alarms(AlarmNames=[old.id])


@creates(_DASHBOARD, replace_on=["dashboardName"], put=True)
def dashboard(aws: Aws, args: Arguments) -> Created:
    aws.client("cloudwatch").put_dashboard(**args.pascal("dashboardName", "dashboardBody"))
    name = args["dashboardName"]
    # A dashboard's ARN has no region.
    return Created(name, {"dashboardArn": f"arn:{aws.partition}:cloudwatch::{aws.account}:dashboard/{name}"})


@deletes(_DASHBOARD)
def delete_dashboard(aws: Aws, old: ResourceState) -> None:
    aws.client("cloudwatch").delete_dashboards(DashboardNames=[old.id])
