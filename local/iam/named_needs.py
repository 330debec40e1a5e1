"""Needs of services whose calls name their one resource by one parameter."""

from collections.abc import Iterator

from local.aws.call import Call
from local.iam.needs import Need, arn, finder, request_tags

# Service -> parameter -> the resource's part of the ARN. Calls without such a parameter are on `*`.
_NAMED: dict[str, dict[str, str]] = {
    "ecr": {"repositoryName": "repository/{}", "resourceArn": "{}"},
    "events": {"Rule": "rule/{}", "Name": "rule/{}", "ResourceARN": "{}"},
    "sns": {"TopicArn": "{}", "TargetArn": "{}", "ResourceArn": "{}", "Name": "{}"},
    "cloudwatch": {"AlarmName": "alarm:{}", "ResourceARN": "{}"},
}


def _need(call: Call) -> Iterator[Need]:
    parameters = call.parameters
    resource = "*"
    for parameter, pattern in _NAMED[call.service].items():
        if name := parameters.get(parameter):
            resource = arn(call.service, pattern.format(name)) if not name.startswith("arn:") else name
            break
    yield Need(action=f"{call.service}:{call.operation}", resource=resource, context=request_tags(parameters))


for _service in _NAMED:
    finder(_service)(_need)
