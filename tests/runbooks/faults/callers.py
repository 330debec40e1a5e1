"""What callers do wrong: keys of their own, requests with them, and the log that tells of it."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from outpost.names import CONTROL_PLANE_LOG_GROUP
from tests.runbooks.faults.stack import STEADY, TENANT, Stack


def new_key() -> str:
    return "otp_" + secrets.token_hex(32)


def provision(stack: Stack, identifier: str, scopes: tuple[str, ...], **more: dict[str, Any]) -> str:
    """Write a key's record into the table, until the fault is taken away; the key."""
    key = new_key()
    item = {
        "apiKeyId": {"S": identifier},
        "tenantId": {"S": TENANT},
        "name": {"S": identifier},
        "keyHash": {"S": hashlib.sha256(key.encode()).hexdigest()},
        "keyPrefix": {"S": key[:15]},
        "scopes": {"SS": list(scopes)},
        "status": {"S": "active"},
    } | more
    dynamodb, table = stack.client("dynamodb"), stack.names.api_keys_table
    dynamodb.put_item(TableName=table, Item=item)
    stack.undo.callback(dynamodb.delete_item, TableName=table, Key={"apiKeyId": {"S": identifier}})
    return key


def logged(stack: Stack, event: str, count: int = 1) -> None:
    """Wait until the control plane's log tells of it, and empty the log when the fault is taken away."""
    stack.undo.callback(empty_log, stack)
    logs = stack.client("logs")

    def look() -> bool:
        found = logs.filter_log_events(logGroupName=CONTROL_PLANE_LOG_GROUP, filterPattern=f'"{event}"')
        lines = [json.loads(item["message"]) for item in found["events"]]
        return sum(line.get("event") == event for line in lines) >= count

    stack.region.wait_for(look, STEADY, f"{count} x {event} in the log")


def empty_log(stack: Stack) -> None:
    """Let the control plane's streams begin anew."""
    logs, group = stack.client("logs"), CONTROL_PLANE_LOG_GROUP
    for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]:
        name = stream["logStreamName"]
        logs.delete_log_stream(logGroupName=group, logStreamName=name)
        logs.create_log_stream(logGroupName=group, logStreamName=name)
