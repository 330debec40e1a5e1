"""Route 53: the records of a stack with a domain of its own."""

from typing import Any

from local.engine.arguments import Arguments
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes
from local.engine.state import ResourceState

_RECORD = "aws:route53/record:Record"


def _change(action: str, values: Any) -> dict[str, Any]:
    record: dict[str, Any] = {"Name": values["name"], "Type": values["type"]}
    if values.get("ttl"):
        record["TTL"] = values["ttl"]
    if values.get("records"):
        record["ResourceRecords"] = [{"Value": value} for value in values["records"]]
    for alias in values.get("aliases") or []:
        record["AliasTarget"] = {
            "DNSName": alias["name"],
            "HostedZoneId": alias["zoneId"],
            "EvaluateTargetHealth": alias["evaluateTargetHealth"],
        }
    return {"Changes": [{"Action": action, "ResourceRecordSet": record}]}


@creates(_RECORD, replace_on=["zoneId", "name", "type"], put=True)
def record(aws: Aws, args: Arguments) -> Created:
    zone = args["zoneId"]
    aws.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=_change("UPSERT", args))
    return Created(f"{zone}_{args['name']}_{args['type']}", {"fqdn": args["name"]})


@deletes(_RECORD)
def delete_record(aws: Aws, old: ResourceState) -> None:
    aws.client("route53").change_resource_record_sets(
        HostedZoneId=old.inputs["zoneId"], ChangeBatch=_change("DELETE", old.inputs)
    )
