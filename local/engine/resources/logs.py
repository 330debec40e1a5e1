"""CloudWatch Logs."""

from typing import Any

from local.engine.arguments import Arguments
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState

_GROUP = "aws:cloudwatch/logGroup:LogGroup"
_FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    logs = aws.client("logs")
    if gone := [key for key in old.tags if key not in tags]:
        logs.untag_resource(resourceArn=old.outputs["arn"], tagKeys=gone)
    logs.tag_resource(resourceArn=old.outputs["arn"], tags=tags)


@creates(_GROUP, replace_on=["name", "logGroupClass"], named_by="name", retag=retag)
def log_group(aws: Aws, args: Arguments) -> Created:
    args.ignore("skipDestroy")
    aws.client("logs").create_log_group(
        logGroupName=args["name"], **args.same("kmsKeyId", "logGroupClass"), tags=args.tags
    )
    _set_retention(aws, args)
    return Created(args["name"], {"arn": aws.arn("logs", f"log-group:{args['name']}")})


def _set_retention(aws: Aws, args: Arguments) -> None:
    logs = aws.client("logs")
    if args.get("retentionInDays"):
        logs.put_retention_policy(logGroupName=args["name"], **args.same("retentionInDays"))
    else:
        logs.delete_retention_policy(logGroupName=args["name"])


@updates(_GROUP)
def update_log_group(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("logGroupClass", "skipDestroy")
    _set_retention(aws, args)
    if args.get("kmsKeyId") != old.inputs.get("kmsKeyId"):
        logs = aws.client("logs")
        if "kmsKeyId" in args:
            logs.associate_kms_key(logGroupName=args["name"], **args.same("kmsKeyId"))
        else:
            logs.disassociate_kms_key(logGroupName=args["name"])
    return {}


@deletes(_GROUP)
def delete_log_group(aws: Aws, old: ResourceState) -> None:
    if not old.inputs.get("skipDestroy"):
        aws.client("logs").delete_log_group(logGroupName=old.id)


@creates(_FILTER, replace_on=["name", "logGroupName"], put=True)
def log_metric_filter(aws: Aws, args: Arguments) -> Created:
    transformation = {}
    names = {"name": "metricName", "namespace": "metricNamespace", "value": "metricValue"}
    for key, value in args["metricTransformation"].items():
        if value is not None:
            transformation[names.get(key, key)] = float(value) if key == "defaultValue" else value
    aws.client("logs").put_metric_filter(
        filterName=args["name"],
        filterPattern=args["pattern"],
        metricTransformations=[transformation],
        **args.same("logGroupName"),
    )
    return Created(args["name"])


@deletes(_FILTER)
def delete_log_metric_filter(aws: Aws, old: ResourceState) -> None:
    aws.client("logs").delete_metric_filter(logGroupName=old.inputs["logGroupName"], filterName=old.id)
