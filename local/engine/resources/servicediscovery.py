"""Cloud Map: private DNS for tasks."""

from typing import Any

from local.engine.arguments import Arguments, pascal, tag_list
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState
from outpost.errors import OutpostError

_NAMESPACE = "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace"
_SERVICE = "aws:servicediscovery/service:Service"


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    discovery = aws.client("servicediscovery")
    if gone := [key for key in old.tags if key not in tags]:
        discovery.untag_resource(ResourceARN=old.outputs["arn"], TagKeys=gone)
    discovery.tag_resource(ResourceARN=old.outputs["arn"], Tags=tag_list(tags))


@creates(_NAMESPACE, replace_on=["name", "vpc"], named_by="name", retag=retag)
def private_dns_namespace(aws: Aws, args: Arguments) -> Created:
    discovery = aws.client("servicediscovery")
    started = discovery.create_private_dns_namespace(
        **args.pascal("name", "vpc", "description"), Tags=tag_list(args.tags)
    )
    operation = discovery.get_operation(OperationId=started["OperationId"])["Operation"]
    if operation["Status"] != "SUCCESS":
        raise OutpostError("namespace-failed", f"Cloud Map: {operation.get('ErrorMessage', 'no reason')}")
    made = discovery.get_namespace(Id=operation["Targets"]["NAMESPACE"])["Namespace"]
    zone = made["Properties"]["DnsProperties"]["HostedZoneId"]
    return Created(made["Id"], {"arn": made["Arn"], "hostedZone": zone})


@updates(_NAMESPACE)
def update_private_dns_namespace(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("name", "vpc")
    aws.client("servicediscovery").update_private_dns_namespace(
        Id=old.id, Namespace={"Description": args.get("description", "")}
    )
    return {}


@deletes(_NAMESPACE)
def delete_private_dns_namespace(aws: Aws, old: ResourceState) -> None:
    aws.client("servicediscovery").delete_namespace(Id=old.id)


def _dns(args: Arguments) -> dict[str, Any]:
    dns: dict[str, Any] = pascal(args["dnsConfig"])
    for record in dns.get("DnsRecords", []):
        record["TTL"] = record.pop("Ttl")
    return dns


@creates(
    _SERVICE,
    replace_on=["name", "namespaceId", "healthCheckCustomConfig", "type"],
    named_by="name",
    retag=retag,
)
def service(aws: Aws, args: Arguments) -> Created:
    args.ignore("forceDestroy")
    made = aws.client("servicediscovery").create_service(
        **args.pascal("name", "description", "namespaceId", "healthCheckCustomConfig", "type"),
        **({"DnsConfig": _dns(args)} if "dnsConfig" in args else {}),
        Tags=tag_list(args.tags),
    )["Service"]
    return Created(made["Id"], {"arn": made["Arn"]})


@updates(_SERVICE)
def update_service(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("name", "namespaceId", "healthCheckCustomConfig", "type", "forceDestroy")
    dns = {"DnsConfig": {"DnsRecords": _dns(args)["DnsRecords"]}} if "dnsConfig" in args else {}
    aws.client("servicediscovery").update_service(Id=old.id, Service={**args.pascal("description"), **dns})
    return {}


@deletes(_SERVICE)
def delete_service(aws: Aws, old: ResourceState) -> None:
    aws.client("servicediscovery").delete_service(Id=old.id)
