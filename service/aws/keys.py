"""API keys in DynamoDB."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from service.aws.errors import code_of, translated
from service.aws.items import decode_item, encode, encode_item
from service.domain.keys import ApiKey, scopes_of
from service.domain.times import from_iso, iso

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def _moment(value: object) -> float | None:
    """A time as ISO 8601 or epoch; whatever is neither counts as past, so that it never lets anyone in."""
    if value in (None, ""):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return from_iso(str(value))
    except ValueError:
        return 0.0


def _limit(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def key_of(item: Mapping[str, Any]) -> ApiKey:
    """The key that an item of the table describes; lenient in form, strict in effect."""
    found = decode_item(item)
    return ApiKey(
        api_key_id=str(found["apiKeyId"]),
        tenant_id=str(found.get("tenantId", "")),
        key_hash=str(found.get("keyHash", "")),
        key_prefix=str(found.get("keyPrefix", "")),
        scopes=scopes_of(found.get("scopes")),
        status=str(found.get("status", "")),
        created_at=_moment(found.get("createdAt")) or 0,
        expires_at=_moment(found.get("expiresAt")),
        name=str(found.get("name", "")),
        repositories=tuple(sorted(scopes_of(found.get("repositories")))),
        max_active=_limit(found.get("maxActive")),
        max_per_day=_limit(found.get("maxPerDay")),
        requests_per_minute=_limit(found.get("requestsPerMinute")),
    )


def _item(key: ApiKey) -> dict[str, Any]:
    return encode_item(
        {
            "apiKeyId": key.api_key_id,
            "tenantId": key.tenant_id,
            "keyHash": key.key_hash,
            "keyPrefix": key.key_prefix,
            "scopes": sorted(key.scopes),
            "status": key.status,
            "createdAt": iso(key.created_at),
            "expiresAt": None if key.expires_at is None else iso(key.expires_at),
            "name": key.name or None,
            "repositories": list(key.repositories) or None,
            "maxActive": key.max_active,
            "maxPerDay": key.max_per_day,
            "requestsPerMinute": key.requests_per_minute,
        }
    )


class DynamoKeys:
    """`KeyStore` on the API keys table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client: Any = client
        self._table = table

    def by_hash(self, key_hash: str) -> ApiKey | None:
        found = self._query("keyHash-index", "keyHash", key_hash)
        return found[0] if found else None

    def of_tenant(self, tenant_id: str) -> list[ApiKey]:
        return self._query("tenantId-index", "tenantId", tenant_id)

    def _query(self, index: str, attribute: str, value: str) -> list[ApiKey]:
        found: list[ApiKey] = []
        start: dict[str, Any] = {}
        while True:
            with translated("dynamodb"):
                answer = self._client.query(
                    TableName=self._table,
                    IndexName=index,
                    KeyConditionExpression=f"{attribute} = :value",
                    ExpressionAttributeValues={":value": encode(value)},
                    **start,
                )
            found += [key_of(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return found
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def get(self, api_key_id: str) -> ApiKey | None:
        with translated("dynamodb"):
            answer = self._client.get_item(
                TableName=self._table, Key={"apiKeyId": encode(api_key_id)}, ConsistentRead=True
            )
        return key_of(answer["Item"]) if "Item" in answer else None

    def put(self, key: ApiKey) -> None:
        with translated("dynamodb"):
            self._client.put_item(
                TableName=self._table,
                Item=_item(key),
                ConditionExpression="attribute_not_exists(apiKeyId)",
            )

    def update(self, api_key_id: str, changes: Mapping[str, Any]) -> ApiKey | None:
        """Set attributes (None removes one). None if there is no such key."""
        sets = {name: value for name, value in changes.items() if value is not None}
        removes = [name for name, value in changes.items() if value is None]
        parts = []
        if sets:
            parts.append("SET " + ", ".join(f"#{name} = :{name}" for name in sets))
        if removes:
            parts.append("REMOVE " + ", ".join(f"#{name}" for name in removes))
        parameters: dict[str, Any] = {
            "ExpressionAttributeNames": {f"#{name}": name for name in changes},
            "ExpressionAttributeValues": {f":{name}": encode(value) for name, value in sets.items()},
        }
        with translated("dynamodb"):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key={"apiKeyId": encode(api_key_id)},
                    UpdateExpression=" ".join(parts),
                    ConditionExpression="attribute_exists(apiKeyId)",
                    ReturnValues="ALL_NEW",
                    **{name: value for name, value in parameters.items() if value},
                )
            except ClientError as error:
                if code_of(error) == "ConditionalCheckFailedException":
                    return None
                raise
        return key_of(answer["Attributes"])

    def count_usage(self, api_key_id: str, requests: int, last_used_at: float) -> None:
        with translated("dynamodb"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"apiKeyId": encode(api_key_id)},
                    UpdateExpression="SET lastUsedAt = :at ADD usageCount :n",
                    ConditionExpression="attribute_exists(apiKeyId)",
                    ExpressionAttributeValues={":at": encode(iso(last_used_at)), ":n": encode(requests)},
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
