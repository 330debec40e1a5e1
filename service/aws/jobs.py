"""Dispatches in DynamoDB. No scan anywhere; every write is conditional.

Partition keys that start with `#` are not tenants': `#input#TENANT#ID` holds what the worker is to do,
`#idempotency#TENANT#HASH` the answer to an idempotency key, `#counter#TENANT` what the tenant has active and
had today.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from service.aws.acceptance import DynamoAcceptance
from service.aws.errors import code_of, translated
from service.aws.items import (
    Item,
    decode_item,
    difference,
    encode,
    job_key,
    job_of,
    readable_jobs,
    shared_key,
)
from service.aws.pages import DynamoPages
from service.aws.transactions import conflicts, pause_for_rest, reasons_of, repeated
from service.aws.workspaces import usage
from service.domain.job import Inputs, Job
from service.domain.ports import Acceptance, ConflictError, Filters, JobPage, UnavailableError
from service.turns import Locks

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

BATCH = 100  # keys of one BatchGetItem


class DynamoJobs:
    """`JobStore` on the jobs table."""

    def __init__(self, client: "DynamoDBClient", table: str, workspaces_table: str) -> None:
        self._client: Any = client
        self._table = table
        self._workspaces_table = workspaces_table
        # Two transactions on one tenant's count cancel each other; here they take turns.
        self._locks = Locks()
        self._acceptance = DynamoAcceptance(client, table, workspaces_table, self._locks)
        self._pages = DynamoPages(client, table)

    def accept(self, acceptance: Acceptance) -> str | None:
        return self._acceptance.accept(acceptance)

    def page(self, tenant_id: str, filters: Filters, after: str | None, limit: int) -> JobPage:
        return self._pages.page(tenant_id, filters, after, limit)

    # --- reading

    def get(self, tenant_id: str, dispatch_id: str) -> Job | None:
        with translated("dynamodb"):
            answer = self._client.get_item(
                TableName=self._table, Key=job_key(tenant_id, dispatch_id), ConsistentRead=True
            )
        item = answer.get("Item")
        return job_of(item) if item and "status" in item else None

    def assignment(self, tenant_id: str, dispatch_id: str) -> tuple[Job | None, Inputs | None]:
        """Both in one call: every dispatch is read so once, on its way to its agent."""
        keys = [job_key(tenant_id, dispatch_id), shared_key("input", tenant_id, dispatch_id)]
        job, inputs = None, None
        for item in self._batch(keys):
            if "status" in item:
                job = job_of(item)
            elif "task" in item:
                given = decode_item(item)
                inputs = Inputs(task=given["task"], context=given.get("context"))
        return job, inputs

    def get_many(self, ids: Iterable[tuple[str, str]]) -> list[Job]:
        keys = [job_key(*each) for each in dict.fromkeys(ids)]
        return readable_jobs(item for item in self._batch(keys) if "status" in item)

    def _batch(self, keys: list[Item]) -> Iterator[Item]:
        """The items that exist, in any order; what DynamoDB leaves out of an answer is asked for again."""
        tries = 0
        while keys:
            batch, keys = keys[:BATCH], keys[BATCH:]
            with translated("dynamodb"):
                answer = self._client.batch_get_item(
                    RequestItems={self._table: {"Keys": batch, "ConsistentRead": True}}
                )
            yield from answer["Responses"].get(self._table, [])
            if undone := answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", []):
                keys += undone
                tries += 1
                pause_for_rest(tries)

    def due(self, shard: str, now: float, limit: int) -> list[tuple[str, str]]:
        with translated("dynamodb"):
            answer = self._client.query(
                TableName=self._table,
                IndexName="deadline-index",
                KeyConditionExpression="deadlineShard = :shard AND deadlineAt <= :now",
                ExpressionAttributeValues={":shard": encode(shard), ":now": encode(now)},
                Limit=limit,
            )
        return [(item["tenantId"]["S"], item["dispatchId"]["S"]) for item in answer["Items"]]

    # --- writing

    def save(self, old: Job, new: Job) -> None:
        """One conditional update; the end of a dispatch also frees its place in the tenant's count."""
        update = self._update(old, new)
        try:
            with translated("dynamodb"):
                if old.active and new.status.terminal:
                    with self._locks.held(new.tenant_id):
                        repeated(lambda: self._end(update, new))
                else:
                    try:
                        self._client.update_item(**update)
                    except ClientError as error:
                        if code_of(error) == "ConditionalCheckFailedException":
                            raise ConflictError from error
                        raise
        except UnavailableError as error:
            if error.code == "TransactionConflictException":
                raise ConflictError from error
            raise

    def _update(self, old: Job, new: Job) -> dict[str, Any]:
        sets, removes = difference(old, new)
        names = {f"#{n}": name for n, name in enumerate([*sets, *removes])}
        by_name = {name: alias for alias, name in names.items()}
        expression = "SET " + ", ".join(f"{by_name[name]} = :{by_name[name][1:]}" for name in sets)
        if removes:
            expression += " REMOVE " + ", ".join(by_name[name] for name in removes)
        return {
            "TableName": self._table,
            "Key": job_key(new.tenant_id, new.dispatch_id),
            "UpdateExpression": expression,
            "ConditionExpression": f"{by_name['version']} = :expected",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {f":{by_name[name][1:]}": value for name, value in sets.items()}
            | {":expected": encode(old.version)},
        }

    def _end(self, update: dict[str, Any], job: Job) -> None:
        release = {
            "TableName": self._table,
            "Key": shared_key("counter", job.tenant_id),
            "UpdateExpression": "ADD active :less",
            "ExpressionAttributeValues": {":less": encode(-1)},
        }
        items = [{"Update": update}, {"Update": release}]
        if job.workspace_id is not None:
            items.append({"Update": usage(self._workspaces_table, job.tenant_id, job.workspace_id, -1)})
        try:
            with conflicts():
                self._client.transact_write_items(TransactItems=items)
        except ClientError as error:
            codes = [reason.get("Code") for reason in reasons_of(error)]
            if "ConditionalCheckFailed" in codes:
                raise ConflictError from error
            raise
