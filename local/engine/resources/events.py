"""EventBridge: rules and targets (Pulumi files them under CloudWatch)."""

from typing import Any

from local.engine.arguments import Arguments, tag_list
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes
from local.engine.state import ResourceState

_RULE = "aws:cloudwatch/eventRule:EventRule"
_TARGET = "aws:cloudwatch/eventTarget:EventTarget"


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    events = aws.client("events")
    if gone := [key for key in old.tags if key not in tags]:
        events.untag_resource(ResourceARN=old.outputs["arn"], TagKeys=gone)
    events.tag_resource(ResourceARN=old.outputs["arn"], Tags=tag_list(tags))


@creates(_RULE, replace_on=["name", "eventBusName"], named_by="name", put=True, retag=retag)
def event_rule(aws: Aws, args: Arguments) -> Created:
    made = aws.client("events").put_rule(
        **args.pascal("name", "description", "eventPattern", "scheduleExpression", "state", "roleArn"),
        **args.pascal("eventBusName"),
        Tags=tag_list(args.tags),
    )
    return Created(args["name"], {"arn": made["RuleArn"]})


@deletes(_RULE)
def delete_event_rule(aws: Aws, old: ResourceState) -> None:
    aws.client("events").delete_rule(Name=old.id)


@creates(_TARGET, replace_on=["rule", "targetId", "eventBusName"], put=True)
def event_target(aws: Aws, args: Arguments) -> Created:
    target: dict[str, Any] = {"Id": args["targetId"], **args.pascal("arn", "roleArn", "input", "inputPath")}
    target |= args.pascal("deadLetterConfig", "retryPolicy")
    if "inputTransformer" in args:
        transformer = args["inputTransformer"]
        target["InputTransformer"] = {
            "InputTemplate": transformer["inputTemplate"],
            "InputPathsMap": transformer.get("inputPaths") or {},
        }
    answer = aws.client("events").put_targets(
        Rule=args["rule"], Targets=[target], **args.pascal("eventBusName")
    )
    if answer["FailedEntries"]:
        raise RuntimeError(answer["FailedEntries"][0]["ErrorMessage"])
    return Created(f"{args['rule']}-{args['targetId']}")


@deletes(_TARGET)
def delete_event_target(aws: Aws, old: ResourceState) -> None:
    aws.client("events").remove_targets(Rule=old.inputs["rule"], Ids=[old.inputs["targetId"]])
