"""Needs of the services that hold data: DynamoDB, S3, SQS, Secrets Manager, CloudWatch Logs, KMS, EFS."""

from collections.abc import Iterator
from typing import Any

from local.aws.call import Call
from local.aws.moto_app import backend
from local.iam.needs import Need, arn, finder, request_tags

# S3's operations whose permission has another name ("Actions defined by Amazon S3").
_S3_ACTIONS = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteObjects": "DeleteObject",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UploadPart": "PutObject",
}
_TRANSACTION_ACTIONS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem"}


@finder("dynamodb")
def dynamodb(call: Call) -> Iterator[Need]:
    parameters = call.parameters
    if call.operation in {"TransactWriteItems", "TransactGetItems"}:
        for entry in parameters.get("TransactItems", []):
            for kind, item in entry.items():
                action = _TRANSACTION_ACTIONS.get(kind, "ConditionCheckItem")
                yield _table_need(action, item["TableName"], [item.get("Key") or item.get("Item", {})])
    elif call.operation in {"BatchGetItem", "BatchWriteItem"}:
        for table, requests in parameters.get("RequestItems", {}).items():
            yield _table_need(call.operation, table, list(_batch_keys(requests)))
    elif table := parameters.get("TableName") or parameters.get("ResourceArn"):
        item = parameters.get("Key") or parameters.get("Item")
        yield _table_need(
            call.operation, table, [item] if item else _queried(parameters), parameters.get("IndexName", "")
        )
    else:
        yield Need(action=f"dynamodb:{call.operation}")


def _table_need(action: str, table: str, keys: list[dict[str, Any]], index: str = "") -> Need:
    resource = arn("dynamodb", f"table/{table}") + (f"/index/{index}" if index else "")
    known = backend("dynamodb").tables.get(table)
    values = [
        str(next(iter(key[known.hash_key_attr].values())))
        for key in keys
        if known is not None and known.hash_key_attr in key
    ]
    return Need(
        action=f"dynamodb:{action}",
        resource=resource,
        context={"dynamodb:leadingkeys": values} if values else {},
    )


def _batch_keys(requests: dict[str, Any] | list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    if isinstance(requests, dict):
        yield from requests.get("Keys", [])
        return
    for request in requests:
        yield request.get("PutRequest", {}).get("Item") or request.get("DeleteRequest", {}).get("Key", {})


def _queried(parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """The partition key of a Query whose key condition names it by equality."""
    expression = parameters.get("KeyConditionExpression", "")
    names, values = (
        parameters.get("ExpressionAttributeNames", {}),
        parameters.get("ExpressionAttributeValues", {}),
    )
    for clause in expression.replace("(", " ").replace(")", " ").split(" AND "):
        left, equals, right = (part.strip() for part in clause.partition("="))
        if equals and right in values and left[-1:] not in {"<", ">"}:
            return [{names.get(left, left): values[right]}]
    return []


@finder("s3")
def s3(call: Call) -> Iterator[Need]:
    parameters = call.parameters
    action = "s3:" + _S3_ACTIONS.get(call.operation, call.operation)
    bucket, key = parameters.get("Bucket", ""), parameters.get("Key")
    if call.operation == "DeleteObjects":
        for entry in parameters.get("Delete", {}).get("Objects", []):
            yield Need(action=action, resource=f"arn:aws:s3:::{bucket}/{entry['Key']}")
        return
    context = {"s3:prefix": parameters["Prefix"]} if parameters.get("Prefix") else {}
    resource = f"arn:aws:s3:::{bucket}" if bucket else "*"
    yield Need(action=action, resource=f"{resource}/{key}" if key else resource, context=context)
    if call.operation == "CopyObject":
        source = str(parameters.get("CopySource", "")).lstrip("/").partition("?")[0]
        yield Need(action="s3:GetObject", resource=f"arn:aws:s3:::{source}")


@finder("sqs")
def sqs(call: Call) -> Iterator[Need]:
    parameters = call.parameters
    name = parameters.get("QueueName") or str(parameters.get("QueueUrl", "")).rsplit("/", 1)[-1]
    yield Need(
        action="sqs:" + call.operation.removesuffix("Batch"),
        resource=arn("sqs", name) if name else "*",
        context=request_tags(parameters),
    )


@finder("secretsmanager")
def secretsmanager(call: Call) -> Iterator[Need]:
    parameters = call.parameters
    reference = parameters.get("SecretId") or parameters.get("Name")
    resource = "*"
    if reference:
        known = backend("secretsmanager").secrets.get(reference)
        resource = known.arn if known is not None else arn("secretsmanager", f"secret:{reference}")
    yield Need(action=f"secretsmanager:{call.operation}", resource=resource, context=request_tags(parameters))


@finder("logs")
def logs(call: Call) -> Iterator[Need]:
    parameters = call.parameters
    group = parameters.get("logGroupName") or parameters.get("logGroupIdentifier")
    if not group:
        yield Need(action=f"logs:{call.operation}", resource=arn("logs", "log-group:*"))
        return
    stream = parameters.get("logStreamName", "")
    yield Need(
        action=f"logs:{call.operation}", resource=arn("logs", f"log-group:{group}") + f":log-stream:{stream}"
    )


@finder("kms")
def kms(call: Call) -> Iterator[Need]:
    key = call.parameters.get("KeyId")
    known = None
    if key:
        keys = backend("kms")
        known = keys.keys.get(keys.any_id_to_key_id(key))
    yield Need(action=f"kms:{call.operation}", resource=known.arn if known is not None else "*")


@finder("efs")
def efs(call: Call) -> Iterator[Need]:
    parameters = call.parameters
    system = parameters.get("FileSystemId")
    target = backend("efs").mount_targets_by_id.get(parameters.get("MountTargetId", ""))
    if target is not None:  # an action on a mount target is judged by its file system
        system = target.file_system_id
    yield Need(
        action=f"elasticfilesystem:{call.operation}",
        resource=arn("elasticfilesystem", f"file-system/{system}") if system else "*",
        context=request_tags(parameters),
    )
