"""Workspaces in DynamoDB: one partition a tenant, and `#count#TENANT` for how many it has.

Accepting a dispatch adds to a workspace's `active` and its end takes away, each in the dispatch's own
transaction (service/aws/acceptance.py, service/aws/jobs.py): a deletion cannot slip in between.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from service.application.workspaces import WorkspacePage
from service.aws.errors import code_of, translated
from service.aws.items import decode_item, encode, encode_item
from service.aws.transactions import cancelled_for, conflicts, reasons_of, repeated
from service.domain.ports import (
    WorkspaceInUseError,
    WorkspaceLimitError,
    WorkspaceNotFoundError,
)
from service.domain.times import from_iso, iso
from service.domain.workspaces import Workspace

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

EXISTS = "attribute_exists(createdAt)"


def workspace_key(tenant_id: str, workspace_id: str) -> dict[str, Any]:
    return {"tenantId": encode(tenant_id), "workspaceId": encode(workspace_id)}


def usage(table: str, tenant_id: str, workspace_id: str, change: int) -> dict[str, Any]:
    """The part of a transaction that counts a dispatch into its workspace, if that exists, or out of it.

    Out is unconditional: the end of a dispatch must not hang on a table that somebody emptied by hand.
    """
    update = {
        "TableName": table,
        "Key": workspace_key(tenant_id, workspace_id),
        "UpdateExpression": "ADD active :change",
        "ExpressionAttributeValues": {":change": encode(change)},
    }
    return update | ({"ConditionExpression": EXISTS} if change > 0 else {})


def _workspace(item: Mapping[str, Any]) -> Workspace:
    found = decode_item(item)
    return Workspace(
        tenant_id=found["tenantId"],
        workspace_id=found["workspaceId"],
        created_at=from_iso(found["createdAt"]),
        name=found.get("name", ""),
        active=max(0, found.get("active", 0)),
    )


class DynamoWorkspaces:
    """`WorkspaceStore` on the workspaces table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client: Any = client
        self._table = table

    def create(self, workspace: Workspace, maximum: int) -> None:
        item = {
            "tenantId": workspace.tenant_id,
            "workspaceId": workspace.workspace_id,
            "createdAt": iso(workspace.created_at),
            "name": workspace.name or None,
        }
        put = {
            "TableName": self._table,
            "Item": encode_item(item),
            "ConditionExpression": "attribute_not_exists(tenantId)",
        }
        count = self._count(workspace.tenant_id, 1)
        count["ConditionExpression"] = "attribute_not_exists(workspaces) OR workspaces < :maximum"
        count["ExpressionAttributeValues"][":maximum"] = encode(maximum)
        reasons = self._written([{"Put": put}, {"Update": count}], token=workspace.workspace_id)
        if reasons:
            if reasons[1].get("Code") == "ConditionalCheckFailed":
                raise WorkspaceLimitError(maximum)
            raise cancelled_for(reasons)

    def get(self, tenant_id: str, workspace_id: str) -> Workspace | None:
        with translated("dynamodb"):
            answer = self._client.get_item(
                TableName=self._table, Key=workspace_key(tenant_id, workspace_id), ConsistentRead=True
            )
        item = answer.get("Item") or {}
        return _workspace(item) if "createdAt" in item else None

    def page(self, tenant_id: str, after: str | None, limit: int) -> WorkspacePage:
        start = {"ExclusiveStartKey": workspace_key(tenant_id, after)} if after else {}
        with translated("dynamodb"):
            # One more than wanted tells whether there is another page.
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="tenantId = :tenant",
                ExpressionAttributeValues={":tenant": encode(tenant_id)},
                ScanIndexForward=False,
                Limit=limit + 1,
                **start,
            )
        items = answer["Items"]
        more = len(items) > limit
        return WorkspacePage(
            workspaces=[_workspace(item) for item in items[:limit] if "createdAt" in item],
            last=items[limit - 1]["workspaceId"]["S"] if more else None,
        )

    def delete(self, tenant_id: str, workspace_id: str) -> None:
        delete = {
            "TableName": self._table,
            "Key": workspace_key(tenant_id, workspace_id),
            "ConditionExpression": f"{EXISTS} AND (attribute_not_exists(active) OR active <= :none)",
            "ExpressionAttributeValues": {":none": encode(0)},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        reasons = self._written([{"Delete": delete}, {"Update": self._count(tenant_id, -1)}])
        if reasons:
            if "createdAt" in (reasons[0].get("Item") or {}):
                raise WorkspaceInUseError(workspace_id)
            raise WorkspaceNotFoundError(workspace_id)

    def _count(self, tenant_id: str, change: int) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": workspace_key(f"#count#{tenant_id}", "-"),
            "UpdateExpression": "ADD workspaces :change",
            "ExpressionAttributeValues": {":change": encode(change)},
        }

    def _written(self, items: list[dict[str, Any]], token: str = "") -> list[dict[str, Any]]:
        """Nothing when written, or the reasons why not. `token` makes the SDK's repetition harmless."""
        once = {"ClientRequestToken": token} if token else {}

        def write() -> None:
            with conflicts():
                self._client.transact_write_items(TransactItems=items, **once)

        with translated("dynamodb"):
            try:
                repeated(write)
            except ClientError as error:
                if code_of(error) != "TransactionCanceledException":
                    raise
                return reasons_of(error)
        return []
