"""Listing a tenant's dispatches, newest first: one partition, in the order of its sort key."""

from typing import TYPE_CHECKING, Any

from service.aws.errors import translated
from service.aws.items import encode, job_key, readable_jobs
from service.domain.job import Job
from service.domain.ports import Filters, JobPage
from service.domain.times import iso

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

READS = (
    5  # at most, of 1 MiB each, for one page: a filter that matches little gives a short page and a cursor
)


class DynamoPages:
    """Reads pages of jobs."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client: Any = client
        self._table = table

    def page(self, tenant_id: str, filters: Filters, after: str | None, limit: int) -> JobPage:
        """Up to `limit` jobs after the id `after`. The page's `last` is None only at the very end."""
        query = self._query(tenant_id, filters)
        jobs: list[Job] = []
        for _ in range(READS):
            if after is not None:
                query["ExclusiveStartKey"] = job_key(tenant_id, after)
            # One more than wanted tells whether there is another page.
            with translated("dynamodb"):
                answer = self._client.query(**query, Limit=1000 if self._narrow(filters) else limit + 1)
            for job in readable_jobs(answer["Items"]):
                jobs.append(job)
                if len(jobs) > limit:
                    return JobPage(jobs=jobs[:limit], last=jobs[limit - 1].dispatch_id)
            last = answer.get("LastEvaluatedKey")
            if last is None:
                return JobPage(jobs=jobs, last=None)
            after = last["dispatchId"]["S"]
        return JobPage(jobs=jobs, last=after)

    @staticmethod
    def _narrow(filters: Filters) -> bool:
        return filters != Filters()

    def _query(self, tenant_id: str, filters: Filters) -> dict[str, Any]:
        names: dict[str, str] = {}
        values: dict[str, Any] = {":tenant": encode(tenant_id)}
        conditions: list[str] = []

        def narrow(attribute: str, operator: str, value: str, path: str = "") -> None:
            n = len(conditions)
            names[f"#f{n}"] = attribute
            values[f":f{n}"] = encode(value)
            conditions.append(f"#f{n}{path} {operator} :f{n}")

        if filters.status is not None:
            narrow("status", "=", filters.status)
        if filters.agent is not None:
            narrow("agent", "=", filters.agent)
        if filters.created_after is not None:
            narrow("createdAt", ">=", iso(filters.created_after))
        if filters.created_before is not None:
            narrow("createdAt", "<", iso(filters.created_before))
        if filters.tag is not None:
            names["#tag"] = filters.tag[0]
            narrow("tags", "=", filters.tag[1], path=".#tag")
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "tenantId = :tenant",
            "ExpressionAttributeValues": values,
            "ScanIndexForward": False,
        }
        if conditions:
            query |= {"FilterExpression": " AND ".join(conditions), "ExpressionAttributeNames": names}
        return query
