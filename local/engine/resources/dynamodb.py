"""DynamoDB: tables."""

from typing import Any

from local.engine.arguments import Arguments, tag_list
from local.engine.aws import Aws
from local.engine.registry import Created, creates, deletes, updates
from local.engine.state import ResourceState

_TABLE = "aws:dynamodb/table:Table"
_SETTINGS = (  # what UpdateTable takes in one call
    "billingMode",
    "readCapacity",
    "writeCapacity",
    "deletionProtectionEnabled",
    "tableClass",
    "serverSideEncryption",
    "streamEnabled",
    "streamViewType",
)


def retag(aws: Aws, old: ResourceState, tags: dict[str, str]) -> None:
    dynamodb = aws.client("dynamodb")
    if gone := [key for key in old.tags if key not in tags]:
        dynamodb.untag_resource(ResourceArn=old.outputs["arn"], TagKeys=gone)
    dynamodb.tag_resource(ResourceArn=old.outputs["arn"], Tags=tag_list(tags))


@creates(
    _TABLE, replace_on=["name", "hashKey", "rangeKey", "localSecondaryIndexes"], named_by="name", retag=retag
)
def table(aws: Aws, args: Arguments) -> Created:
    made = aws.client("dynamodb").create_table(
        TableName=args["name"],
        KeySchema=_keys(args.get("hashKey"), args.get("rangeKey")),
        AttributeDefinitions=_attributes(args),
        **_throughput(args),
        **_indexes(args),
        **_encryption(args),
        **args.pascal("deletionProtectionEnabled", "tableClass"),
        **_stream(args),
        Tags=tag_list(args.tags),
    )["TableDescription"]
    _set_ttl_and_backups(aws, args, {})
    outputs = {"arn": made["TableArn"]}
    if "LatestStreamArn" in made:
        outputs |= {"streamArn": made["LatestStreamArn"], "streamLabel": made["LatestStreamLabel"]}
    return Created(args["name"], outputs)


def _keys(hash_key: str | None, range_key: str | None) -> list[dict[str, str]]:
    keys = [{"AttributeName": hash_key or "", "KeyType": "HASH"}]
    return keys + ([{"AttributeName": range_key, "KeyType": "RANGE"}] if range_key else [])


def _attributes(args: Arguments) -> list[dict[str, str]]:
    return [{"AttributeName": a["name"], "AttributeType": a["type"]} for a in args["attributes"]]


def _throughput(args: Arguments) -> dict[str, Any]:
    # AWS: PROVISIONED when the mode is not given. On-demand tables have no capacity.
    mode = args.get("billingMode", "PROVISIONED")
    capacity = _capacity(args.get("readCapacity"), args.get("writeCapacity"))
    return {"BillingMode": mode, **(capacity if mode == "PROVISIONED" else {})}


def _capacity(read: int | None, write: int | None) -> dict[str, Any]:
    if not read or not write:
        return {}
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


def _index(index: dict[str, Any]) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": index["projectionType"]}
    if index.get("nonKeyAttributes"):
        projection["NonKeyAttributes"] = index["nonKeyAttributes"]
    hash_key, range_key = index.get("hashKey"), index.get("rangeKey")
    for key in index.get("keySchemas") or []:
        if key["keyType"] == "HASH":
            hash_key = key["attributeName"]
        else:
            range_key = key["attributeName"]
    return {
        "IndexName": index["name"],
        "KeySchema": _keys(hash_key, range_key),
        "Projection": projection,
        **_capacity(index.get("readCapacity"), index.get("writeCapacity")),
    }


def _indexes(args: Arguments) -> dict[str, Any]:
    indexes = {}
    for key in ("globalSecondaryIndexes", "localSecondaryIndexes"):
        if args.get(key):
            indexes[key[:1].upper() + key[1:]] = [_index(index) for index in args[key]]
    return indexes


def _encryption(args: Arguments) -> dict[str, Any]:
    if "serverSideEncryption" not in args:
        return {}
    given = args["serverSideEncryption"]
    specification: dict[str, Any] = {"Enabled": given["enabled"]}
    if given["enabled"]:
        specification["SSEType"] = "KMS"
    if given.get("kmsKeyArn"):
        specification["KMSMasterKeyId"] = given["kmsKeyArn"]
    return {"SSESpecification": specification}


def _stream(args: Arguments) -> dict[str, Any]:
    if "streamEnabled" not in args:
        return {}
    return {"StreamSpecification": {"StreamEnabled": args["streamEnabled"], **args.pascal("streamViewType")}}


def _set_ttl_and_backups(aws: Aws, args: Arguments, before: dict[str, Any]) -> None:
    dynamodb = aws.client("dynamodb")
    ttl = args.get("ttl", {"enabled": False})
    if ttl != (before.get("ttl") or {"enabled": False}):
        given = {"Enabled": ttl.get("enabled", True), "AttributeName": ttl["attributeName"]}
        dynamodb.update_time_to_live(TableName=args["name"], TimeToLiveSpecification=given)
    recovery = args.get("pointInTimeRecovery", {"enabled": False})
    if recovery != (before.get("pointInTimeRecovery") or {"enabled": False}):
        given = {"PointInTimeRecoveryEnabled": recovery["enabled"]}
        if recovery.get("recoveryPeriodInDays"):
            given["RecoveryPeriodInDays"] = recovery["recoveryPeriodInDays"]
        dynamodb.update_continuous_backups(TableName=args["name"], PointInTimeRecoverySpecification=given)


@updates(_TABLE)
def update_table(aws: Aws, old: ResourceState, args: Arguments) -> dict[str, Any]:
    args.ignore("hashKey", "rangeKey", "localSecondaryIndexes")
    had = {index["name"]: _index(index) for index in old.inputs.get("globalSecondaryIndexes") or []}
    wanted = {index["name"]: _index(index) for index in args.get("globalSecondaryIndexes", [])}
    gone = [{"Delete": {"IndexName": name}} for name in had if had[name] != wanted.get(name)]
    new = [{"Create": index} for name, index in wanted.items() if had.get(name) != index]
    dynamodb = aws.client("dynamodb")
    for change in [*gone, *new]:  # AWS takes one index change a call
        dynamodb.update_table(
            TableName=args["name"],
            AttributeDefinitions=_attributes(args),
            GlobalSecondaryIndexUpdates=[change],
        )
    if any(args.get(key) != old.inputs.get(key) for key in _SETTINGS):
        dynamodb.update_table(
            TableName=args["name"],
            **_throughput(args),
            **_encryption(args),
            **_stream(args),
            **args.pascal("deletionProtectionEnabled", "tableClass"),
        )
    _set_ttl_and_backups(aws, args, old.inputs)
    return {}


@deletes(_TABLE)
def delete_table(aws: Aws, old: ResourceState) -> None:
    aws.client("dynamodb").delete_table(TableName=old.id)
