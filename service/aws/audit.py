"""The audit table: one partition a tenant, in the order of time."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from service.application.audit import AuditPage
from service.aws.errors import translated
from service.aws.items import decode_item, encode, encode_item
from service.aws.transactions import pause_for_rest

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

BATCH = 25  # DynamoDB: items of one BatchWriteItem


class DynamoAudit:
    """`AuditStore` on DynamoDB."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client: Any = client
        self._table = table

    def write(self, entries: Sequence[Mapping[str, object]]) -> None:
        waiting = [{"PutRequest": {"Item": encode_item(entry)}} for entry in entries]
        tries = 0
        while waiting:
            batch, waiting = waiting[:BATCH], waiting[BATCH:]
            with translated("dynamodb"):
                answer = self._client.batch_write_item(RequestItems={self._table: batch})
            if undone := answer.get("UnprocessedItems", {}).get(self._table, []):
                waiting += undone
                tries += 1
                pause_for_rest(tries)

    def page(self, tenant_id: str, after: str | None, limit: int) -> AuditPage:
        start = {"ExclusiveStartKey": encode_item({"tenantId": tenant_id, "auditId": after})} if after else {}
        with translated("dynamodb"):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="tenantId = :tenant",
                ExpressionAttributeValues={":tenant": encode(tenant_id)},
                ScanIndexForward=False,
                Limit=limit,
                **start,
            )
        last = answer.get("LastEvaluatedKey")
        return AuditPage(
            entries=[decode_item(item) for item in answer["Items"]],
            last=last["auditId"]["S"] if last else None,
        )
