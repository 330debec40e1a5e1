"""The provider functions (data sources) that programs call."""

from collections.abc import Callable, Mapping
from typing import Any

from local.engine.aws import Aws
from outpost.errors import OutpostError


def _caller_identity(aws: Aws, _: Mapping[str, Any]) -> dict[str, Any]:
    caller = aws.caller
    return {
        "accountId": caller["Account"],
        "arn": caller["Arn"],
        "userId": caller["UserId"],
        "id": caller["Account"],
    }


def _region(aws: Aws, _: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": aws.region, "region": aws.region, "name": aws.region}


def _partition(aws: Aws, _: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": aws.partition, "partition": aws.partition, "dnsSuffix": "amazonaws.com"}


def _availability_zones(aws: Aws, args: Mapping[str, Any]) -> dict[str, Any]:
    filters = [{"Name": "state", "Values": [args["state"]]}] if args.get("state") else []
    zones = aws.client("ec2").describe_availability_zones(Filters=filters)["AvailabilityZones"]
    names = sorted(zone["ZoneName"] for zone in zones)
    return {"id": aws.region, "names": names, "zoneIds": [zone["ZoneId"] for zone in zones]}


_INVOKES: dict[str, Callable[[Aws, Mapping[str, Any]], dict[str, Any]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _availability_zones,
}


def invoke(aws: Aws, token: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Raises `OutpostError` (`unknown-invoke`)."""
    if token not in _INVOKES:
        raise OutpostError(
            "unknown-invoke",
            f"the local region cannot answer {token}.",
            remedy="Add a function for it to local/engine/invokes.py.",
        )
    return _INVOKES[token](aws, args)
