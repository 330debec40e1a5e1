"""What a call needs: IAM actions, the resources they are on, and their condition keys.

From the service authorization reference. A service that is not listed here is asked for on `*`, which only
an unrestricted statement allows: stricter than AWS, never laxer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from local.aws.call import Call
from local.aws.moto_app import ACCOUNT, REGION
from outpost.policy_conditions import Context


@dataclass(frozen=True, kw_only=True)
class Need:
    """One permission that a call needs."""

    action: str
    resource: str = "*"
    context: Context = field(default_factory=dict)


Finder = Callable[[Call], Iterator[Need]]
FINDERS: dict[str, Finder] = {}

# Where IAM's prefix of a service is not the name boto3 gives it.
_PREFIXES = {
    "efs": "elasticfilesystem",
    "elbv2": "elasticloadbalancing",
    "service-quotas": "servicequotas",
    "resourcegroupstaggingapi": "tag",
}


def finder(service: str) -> Callable[[Finder], Finder]:
    """Register how a service's calls become needs."""

    def register(function: Finder) -> Finder:
        FINDERS[service] = function
        return function

    return register


def needs(call: Call) -> Iterator[Need]:
    """Every permission that the call needs; all of them must be allowed."""
    found = FINDERS.get(call.service)
    if found is None:
        prefix = _PREFIXES.get(call.service, call.service)
        yield Need(action=f"{prefix}:{call.operation}", context=request_tags(call.parameters))
    else:
        yield from found(call)


def arn(service: str, resource: str, *, region: str = REGION, account: str = ACCOUNT) -> str:
    """The ARN of a resource of the one account."""
    return resource if resource.startswith("arn:") else f"arn:aws:{service}:{region}:{account}:{resource}"


def request_tags(parameters: dict[str, Any]) -> dict[str, str | list[str]]:
    """Condition keys for the tags that a request carries, in either spelling of tags."""
    tags = parameters.get("tags") or parameters.get("Tags") or []
    pairs = tags.items() if isinstance(tags, dict) else [_pair(tag) for tag in tags if isinstance(tag, dict)]
    context: dict[str, str | list[str]] = {f"aws:requesttag/{key}": str(value) for key, value in pairs}
    if context:
        context["aws:tagkeys"] = [key.partition("/")[2] for key in context]
    return context


def _pair(tag: dict[str, str]) -> tuple[str, str]:
    return tag.get("key", tag.get("Key", "")), tag.get("value", tag.get("Value", ""))
