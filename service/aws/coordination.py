"""What the replicas share: leases and the account's rate of launches, and what each of them holds."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from service.aws.errors import code_of, extra, translated
from service.aws.items import decode_item, encode, job_key, shared_key
from service.domain.times import DAY

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

HOUR = 3600
QUEUES = "#queue"  # the partition with an item for each replica: what it holds


# What lies further in the future than replicas' clocks differ was written by a clock that was wrong. It must
# not bind the others until their time comes there, which may take hours.
SKEW = 5  # seconds


class DynamoCoordination:
    """`Coordination` in the jobs table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client: Any = client
        self._table = table

    def _update(
        self, key: dict[str, Any], update: str, condition: str, values: dict[str, Any]
    ) -> dict[str, Any]:
        """The item after the update, or before it with `refused`."""
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={name: encode(value) for name, value in values.items()},
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
            return decode_item(answer["Attributes"])
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            return {"refused": True, **decode_item(extra(error, "Item") or {})}

    def lease(self, name: str, owner: str, now: float, seconds: float) -> bool:
        with translated("dynamodb"):
            held = self._update(
                shared_key("lease", name),
                "SET holder = :owner, leasedUntil = :until, #ttl = :ttl",
                "attribute_not_exists(holder) OR holder = :owner"
                " OR leasedUntil < :now OR leasedUntil > :skewed",
                {
                    ":owner": owner,
                    ":until": now + seconds,
                    ":now": now,
                    ":skewed": now + seconds + SKEW,
                    ":ttl": int(now + DAY),
                },
            )
        return "refused" not in held

    def take_launches(self, wanted: int, per_second: int, now: float) -> int:
        second = int(now)
        key = shared_key("launch-rate")
        values = {":second": second, ":ttl": second + DAY}
        with translated("dynamodb"):
            wanted = min(wanted, per_second)
            fresh = self._update(
                key,
                "SET inSecond = :second, launches = :n, #ttl = :ttl",
                "attribute_not_exists(inSecond) OR inSecond < :second OR inSecond > :skewed",
                {**values, ":n": wanted, ":skewed": second + SKEW},
            )
            if "refused" not in fresh:
                return wanted
            # This second has begun already; what is left of it is shared.
            wanted = min(wanted, per_second - int(fresh.get("launches", per_second)))
            if wanted <= 0:
                return 0
            taken = self._update(
                key,
                "SET #ttl = :ttl ADD launches :n",
                "inSecond = :second AND launches <= :room",
                {
                    ":second": fresh["inSecond"],
                    ":ttl": second + DAY,
                    ":n": wanted,
                    ":room": per_second - wanted,
                },
            )
            return 0 if "refused" in taken else wanted

    def tell_queue(self, replica: str, text: str, now: float) -> None:
        with translated("dynamodb"):
            self._client.update_item(
                TableName=self._table,
                Key=job_key(QUEUES, replica),
                UpdateExpression="SET waiting = :text, #ttl = :ttl",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={":text": encode(text), ":ttl": encode(int(now + HOUR))},
            )

    def queues(self) -> dict[str, str]:
        with translated("dynamodb"):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="tenantId = :queues",
                ExpressionAttributeValues={":queues": encode(QUEUES)},
            )
        return {item["dispatchId"]["S"]: item["waiting"]["S"] for item in answer["Items"]}
