"""Accepting a dispatch: one transaction for job, inputs, counts of tenant and key, and idempotency key.

So each limit holds exactly, over all replicas, at no call of its own (ADR 0021).
"""

import hashlib
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from service.aws.errors import code_of, translated
from service.aws.items import decode_item, encode, encode_item, job_item, shared_key
from service.aws.transactions import cancelled_for, conflicts, reasons_of, repeated
from service.aws.workspaces import usage
from service.domain.ports import (
    Acceptance,
    AdmissionError,
    KeyReusedError,
    UnavailableError,
    WorkspaceNotFoundError,
)
from service.domain.rates import MINUTE, minute_of, to_next_minute
from service.domain.times import DAY, day, seconds_to_next_day
from service.turns import Locks

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

IDEMPOTENCY_SECONDS = DAY
RATE_KEPT_MINUTES = 5  # far more than the clocks of two replicas differ
ABSENT = "attribute_not_exists(tenantId)"
# Where the items stand in the transaction, and so their reasons in a cancelled one. The workspace is last.
COUNTER, RATE, IDEMPOTENCY = 2, 3, 4


class DynamoAcceptance:
    """Writes new dispatches."""

    def __init__(self, client: "DynamoDBClient", table: str, workspaces_table: str, locks: Locks) -> None:
        """`locks`: by tenant, of all transactions of this process that change the tenant's count."""
        self._client: Any = client
        self._table = table
        self._workspaces_table = workspaces_table
        self._locks = locks

    def accept(self, acceptance: Acceptance) -> str | None:
        """Write it all or nothing; the id of the dispatch that the idempotency key made before, if it did.

        The tenant's count of the day is expected to be of this day; the first dispatch of a day learns from
        the refusal that it is not, and starts a new one. Raises `AdmissionError`, `KeyReusedError` and
        `WorkspaceNotFoundError`.
        """
        new_day = False
        for _ in range(3):
            cancelled = self._try(acceptance, new_day)
            if cancelled is None:
                return None
            if acceptance.idempotency_key is not None and _failed(cancelled, IDEMPOTENCY):
                return _replayed(acceptance, cancelled[IDEMPOTENCY])
            if acceptance.job.workspace_id is not None and _failed(cancelled, -1):
                raise WorkspaceNotFoundError(acceptance.job.workspace_id)
            if _failed(cancelled, RATE):
                limit = acceptance.limits.requests_per_minute
                raise AdmissionError("rate", limit, to_next_minute(acceptance.now))
            if not _failed(cancelled, COUNTER):
                raise cancelled_for(cancelled)
            new_day = _day_is_over(acceptance, cancelled[COUNTER])
        raise UnavailableError("dynamodb", "Contention", "the day's count changed three times in a row")

    def _try(self, acceptance: Acceptance, new_day: bool) -> list[dict[str, Any]] | None:
        """None when written, or the reasons why not."""
        items = self._items(acceptance, new_day)
        # The token makes the SDK's own repetition, after an answer that was lost, harmless.
        token = f"{acceptance.job.dispatch_id}-{int(new_day)}"

        def write() -> None:
            with conflicts():
                self._client.transact_write_items(TransactItems=items, ClientRequestToken=token)

        with translated("dynamodb"):
            try:
                with self._locks.held(acceptance.job.tenant_id):
                    repeated(write)
            except ClientError as error:
                if code_of(error) != "TransactionCanceledException":
                    raise
                return reasons_of(error)
        return None

    def _items(self, acceptance: Acceptance, new_day: bool) -> list[dict[str, Any]]:
        job, inputs = acceptance.job, acceptance.inputs
        given = {
            "task": inputs.task,
            "context": inputs.context,
            "ttl": int(acceptance.now + 90 * DAY),
        }
        items = [
            self._put(job_item(job)),
            self._put(shared_key("input", job.tenant_id, job.dispatch_id) | encode_item(given)),
            {"Update": self._count(acceptance, new_day)},
            {"Update": self._rate(acceptance)},
        ]
        if acceptance.idempotency_key is not None:
            items.append(self._idempotency_record(acceptance, acceptance.idempotency_key))
        if job.workspace_id is not None:
            items.append({"Update": usage(self._workspaces_table, job.tenant_id, job.workspace_id, 1)})
        return items

    def _put(self, item: dict[str, Any]) -> dict[str, Any]:
        return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": ABSENT}}

    def _idempotency_record(self, acceptance: Acceptance, key: str) -> dict[str, Any]:
        digest = hashlib.sha256(key.encode()).hexdigest()
        record = {
            "target": acceptance.job.dispatch_id,
            "bodyHash": acceptance.body_hash,
            "ttl": int(acceptance.now + IDEMPOTENCY_SECONDS),
        }
        put = self._put(shared_key("idempotency", acceptance.job.tenant_id, digest) | encode_item(record))
        put["Put"] |= {
            # TTL deletes late, so a record past its time counts as absent.
            "ConditionExpression": f"{ABSENT} OR #ttl <= :now",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": {":now": encode(int(acceptance.now))},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        return put

    def _count(self, acceptance: Acceptance, new_day: bool) -> dict[str, Any]:
        """Add one to what is active and to what came today."""
        limits = acceptance.limits
        values: dict[str, Any] = {":one": 1, ":active": limits.max_active, ":today": day(acceptance.now)}
        active = "(attribute_not_exists(active) OR active < :active)"
        if new_day:
            update = "SET countedDay = :today, countedToday = :one ADD active :one"
            condition = f"{active} AND (attribute_not_exists(countedDay) OR countedDay < :today)"
        else:
            update = "ADD active :one, countedToday :one"
            # Greater: the clock of another replica is ahead, around midnight. It counts into the new day.
            condition = f"{active} AND countedDay >= :today AND countedToday < :daily"
            values[":daily"] = limits.max_per_day
        return {
            "TableName": self._table,
            "Key": shared_key("counter", acceptance.job.tenant_id),
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": encode_item(values),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _rate(self, acceptance: Acceptance) -> dict[str, Any]:
        """Add one to what this key has posted in this minute; TTL removes the count some time after."""
        minute = minute_of(acceptance.now)
        values = {
            ":one": 1,
            ":most": acceptance.limits.requests_per_minute,
            ":ttl": (minute + RATE_KEPT_MINUTES) * MINUTE,
        }
        return {
            "TableName": self._table,
            "Key": shared_key("rate", acceptance.job.api_key_id, str(minute)),
            "UpdateExpression": "SET #ttl = :ttl ADD posts :one",
            "ConditionExpression": "attribute_not_exists(posts) OR posts < :most",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": encode_item(values),
        }


def _failed(reasons: list[dict[str, Any]], place: int) -> bool:
    return len(reasons) > place and reasons[place].get("Code") == "ConditionalCheckFailed"


def _replayed(acceptance: Acceptance, reason: dict[str, Any]) -> str:
    record = decode_item(reason.get("Item") or {})
    if record.get("bodyHash") != acceptance.body_hash:
        raise KeyReusedError
    return str(record["target"])


def _day_is_over(acceptance: Acceptance, reason: dict[str, Any]) -> bool:
    """True if only the day has changed; else raises `AdmissionError` for the limit that is reached."""
    count = decode_item(reason.get("Item") or {})
    limits = acceptance.limits
    if count.get("active", 0) >= limits.max_active:
        raise AdmissionError("active", limits.max_active)
    if count.get("countedDay", "") < day(acceptance.now):
        return True
    if count.get("countedToday", 0) >= limits.max_per_day:
        raise AdmissionError("daily", limits.max_per_day, seconds_to_next_day(acceptance.now))
    return False  # another dispatch started the day in between
