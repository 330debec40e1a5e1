"""The warm pool in the jobs table: `#pool#AGENT` holds an item per slot, `#pool-breaker#AGENT` one."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from outpost.agents import Agent
from service.aws.errors import code_of, translated
from service.aws.items import Item, decode_item, encode, encode_item, job_key, shared_key
from service.domain.pool import Breaker, Slot
from service.domain.times import DAY

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class DynamoSlots:
    """`SlotStore` on the jobs table. Every write is conditional; slots expire by themselves after a day."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client: Any = client
        self._table = table

    def all(self, agent: Agent) -> list[Slot]:
        found: list[Slot] = []
        start: dict[str, Any] = {}
        while True:
            with translated("dynamodb"):
                answer = self._client.query(
                    TableName=self._table,
                    ConsistentRead=True,
                    KeyConditionExpression="tenantId = :pool",
                    ExpressionAttributeValues={":pool": {"S": _partition(agent)}},
                    **start,
                )
            found += [_slot(agent, item) for item in answer.get("Items", [])]
            if "LastEvaluatedKey" not in answer:
                return found
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def get(self, agent: Agent, slot: str) -> Slot | None:
        with translated("dynamodb"):
            answer = self._client.get_item(TableName=self._table, Key=_key(agent, slot), ConsistentRead=True)
        return _slot(agent, answer["Item"]) if "Item" in answer else None

    def put(self, slot: Slot) -> None:
        values = {"createdAt": slot.created_at, "ttl": int(slot.created_at + DAY)}
        with translated("dynamodb"):
            item = _key(slot.agent, slot.slot) | encode_item(values)
            self._client.put_item(TableName=self._table, Item=item)

    def started(self, agent: Agent, slot: str, arn: str) -> None:
        self._update(agent, slot, "SET taskArn = :arn", "attribute_exists(createdAt)", {":arn": arn})

    def seen(self, agent: Agent, slot: str, now: float) -> Slot | None:
        condition = "attribute_exists(createdAt) AND attribute_not_exists(stoppedAt)"
        return self._update(agent, slot, "SET seenAt = :now", condition, {":now": now})

    def lease(self, agent: Agent, slot: str, leased_to: str) -> bool:
        condition = (
            "attribute_exists(createdAt) AND attribute_not_exists(leasedTo)"
            " AND attribute_not_exists(stoppedAt)"
        )
        return self._update(agent, slot, "SET leasedTo = :to", condition, {":to": leased_to}) is not None

    def dismiss(self, agent: Agent, slot: str) -> bool:
        with translated("dynamodb"):
            try:
                self._client.delete_item(
                    TableName=self._table,
                    Key=_key(agent, slot),
                    ConditionExpression="attribute_not_exists(leasedTo)",
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    def stopped(self, agent: Agent, slot: str, now: float) -> bool:
        condition = "attribute_exists(createdAt) AND attribute_not_exists(stoppedAt)"
        return self._update(agent, slot, "SET stoppedAt = :now", condition, {":now": now}) is not None

    def forget(self, agent: Agent, slot: str) -> None:
        with translated("dynamodb"):
            self._client.delete_item(TableName=self._table, Key=_key(agent, slot))

    def breaker(self, agent: Agent) -> Breaker:
        with translated("dynamodb"):
            answer = self._client.get_item(TableName=self._table, Key=shared_key("pool-breaker", agent))
        item = decode_item(answer.get("Item") or {})
        return Breaker(failures=int(item.get("failures", 0)), open_until=float(item.get("openUntil", 0)))

    def set_breaker(self, agent: Agent, breaker: Breaker) -> None:
        values = {"failures": breaker.failures, "openUntil": breaker.open_until}
        with translated("dynamodb"):
            item = shared_key("pool-breaker", agent) | encode_item(values)
            self._client.put_item(TableName=self._table, Item=item)

    def _update(
        self, agent: Agent, slot: str, update: str, condition: str, values: dict[str, Any]
    ) -> Slot | None:
        """The slot after the update; None if the condition does not hold."""
        with translated("dynamodb"):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=_key(agent, slot),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues={name: encode(value) for name, value in values.items()},
                    ReturnValues="ALL_NEW",
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return None
        return _slot(agent, answer["Attributes"])


def _partition(agent: Agent) -> str:
    return f"#pool#{agent}"


def _key(agent: Agent, slot: str) -> Item:
    return job_key(_partition(agent), slot)


def _slot(agent: Agent, item: Item) -> Slot:
    values = decode_item(item)
    seen, stopped = values.get("seenAt"), values.get("stoppedAt")
    return Slot(
        agent=agent,
        slot=values["dispatchId"],
        created_at=float(values["createdAt"]),
        arn=values.get("taskArn", ""),
        seen_at=float(seen) if seen is not None else None,
        leased_to=values.get("leasedTo", ""),
        stopped_at=float(stopped) if stopped is not None else None,
    )
