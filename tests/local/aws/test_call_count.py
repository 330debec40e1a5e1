"""The count of what tasks call."""

import json
import threading

from local.aws.call import Call
from local.aws.call_count import CallCount
from local.aws.errors import Response


def call(access_key: str, operation: str, parameters: dict[str, object]) -> Call:
    return Call(
        service="dynamodb",
        operation=operation,
        protocol="json",
        region="us-east-1",
        access_key=access_key,
        session_token="",
        presigned=False,
        body=json.dumps(parameters).encode(),
        environ={"HTTP_X_AMZ_TARGET": f"DynamoDB_20120810.{operation}"},
        lock=threading.RLock(),
    )


def test_tasks_calls_are_counted_and_nobody_elses() -> None:
    count = CallCount("ASIAINTERNAL1")
    for access_key in ("ASIATASK", "ASIATASK", "AKIAOPERATOR", "ASIAINTERNAL1"):
        count.observe(call(access_key, "GetItem", {}), Response(200, b""))
    count.observe(call("ASIATASK", "TransactWriteItems", {"TransactItems": [{}, {}, {}]}), Response(200, b""))
    count.observe(call("ASIATASK", "BatchWriteItem", {"RequestItems": {"a": [{}, {}]}}), Response(200, b""))
    assert count.counts() == {
        "dynamodb:GetItem": 2,
        "dynamodb:TransactWriteItems": 1,
        "dynamodb:TransactWriteItems items": 3,
        "dynamodb:BatchWriteItem": 1,
        "dynamodb:BatchWriteItem items": 2,
    }
