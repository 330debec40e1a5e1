"""The rendering of a stack as a Terraform plan, which scanners of infrastructure understand.

The provider of Pulumi for AWS is made from Terraform's, so types and properties differ in spelling only.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.rendering import Declared, Rendered

# Modules whose name is no part of Terraform's type, and types that are spelt otherwise there.
_PLAIN_MODULES = {"ec2", "vpc", "lb", "alb"}
_MODULES = {"servicediscovery": "service_discovery"}
_TYPES = {
    "aws:acm/certificateValidation:CertificateValidation": "aws_acm_certificate_validation",
    "aws:cloudwatch/eventRule:EventRule": "aws_cloudwatch_event_rule",
    "aws:cloudwatch/logGroup:LogGroup": "aws_cloudwatch_log_group",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": "aws_iam_openid_connect_provider",
    "aws:lb/loadBalancer:LoadBalancer": "aws_lb",
    "aws:lb/listener:Listener": "aws_lb_listener",
    "aws:lb/targetGroup:TargetGroup": "aws_lb_target_group",
    "aws:route53/record:Record": "aws_route53_record",
    "aws:servicediscovery/service:Service": "aws_service_discovery_service",
}
_MAPS = {"tags", "tags_all", "default_tags", "dimensions"}  # objects that are no blocks
# Blocks that Pulumi's plural does not give back by dropping an s.
_BLOCKS = {
    "ingresses": "ingress",
    "egresses": "egress",
    "lifecycle_policies": "lifecycle_policy",
    "metric_queries": "metric_query",
    "default_capacity_provider_strategies": "default_capacity_provider_strategy",
}


def as_plan(declared: Declared) -> dict[str, Any]:
    """The stack as `terraform show -json` prints a plan that creates all of it."""
    owners = _owners(declared)
    resources, configured = [], []
    for each in declared.resources:
        if not each.type.startswith("aws:"):
            continue
        values = _values(each.inputs)
        base = {
            "address": address(each),
            "mode": "managed",
            "type": terraform_type(each.type),
            "name": each.name,
        }
        base["provider_name"] = "registry.terraform.io/hashicorp/aws"
        resources.append({**base, "values": values})
        expressions = {
            key: {"references": references}
            for key, value in values.items()
            if (references := sorted(set(_references(value, owners))))
        }
        configured.append({**base, "expressions": expressions})
    return {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "planned_values": {"root_module": {"resources": resources}},
        "resource_changes": [
            {**resource, "change": {"actions": ["create"], "before": None, "after": resource["values"]}}
            for resource in resources
        ],
        "configuration": {"root_module": {"resources": configured}},
    }


def address(resource: Rendered) -> str:
    """How a scanner names the resource: Terraform's type and the program's name."""
    return f"{terraform_type(resource.type)}.{resource.name}"


def terraform_type(token: str) -> str:
    """`aws:ec2/natGateway:NatGateway` -> `aws_nat_gateway`."""
    if token in _TYPES:
        return _TYPES[token]
    module, _, name = token.removeprefix("aws:").partition(":")
    prefix = module.split("/")[0]
    return "aws_" + ("" if prefix in _PLAIN_MODULES else f"{_MODULES.get(prefix, prefix)}_") + _snake(name)


def _values(inputs: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in inputs.items():
        name = _snake(key)
        if name in _MAPS:
            found[name] = value
        elif isinstance(value, Mapping):
            found[name] = [_values(value)]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            found[_BLOCKS.get(name, name.removesuffix("s"))] = [_values(each) for each in value]
        else:
            found[name] = int(value) if isinstance(value, float) and value.is_integer() else value
    return found


def _owners(declared: Declared) -> dict[str, str]:
    """Whose id or ARN a text is."""
    found: dict[str, str] = {}
    for each in declared.resources:
        for key in ("id", "arn"):
            found.setdefault(str(each.outputs.get(key)), address(each))
    return found


def _references(value: Any, owners: Mapping[str, str]) -> Iterator[str]:
    if isinstance(value, str) and value in owners:
        yield owners[value]
        yield f"{owners[value]}.id"
    elif isinstance(value, list):
        for each in value:
            yield from _references(each, owners)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _references(each, owners)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
