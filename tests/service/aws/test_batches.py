"""Batches of which DynamoDB leaves a part undone: asked again after a pause, and not for ever."""

from typing import Any

import pytest

from outpost.agents import Agent
from service.aws import transactions
from service.aws.audit import DynamoAudit
from service.aws.items import job_item
from service.aws.jobs import DynamoJobs
from service.domain.job import Job
from service.domain.ports import UnavailableError


class Short:
    """DynamoDB with capacity for `room` items of each batch."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.written: list[Any] = []

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's
        ((table, batch),) = RequestItems.items()
        self.written += batch[: self.room]
        return {"UnprocessedItems": {table: batch[self.room :]} if batch[self.room :] else {}}

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - boto3's
        ((table, asked),) = RequestItems.items()
        found = [job_item(a_job(key["dispatchId"]["S"])) for key in asked["Keys"][: self.room]]
        rest = asked["Keys"][self.room :]
        return {"Responses": {table: found}, "UnprocessedKeys": {table: {"Keys": rest}} if rest else {}}


def a_job(dispatch_id: str) -> Job:
    return Job(
        tenant_id="acme",
        dispatch_id=dispatch_id,
        agent=Agent.CLAUDE,
        created_at=1_770_000_000.0,
        timeout_seconds=60,
    )


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr(transactions.time, "sleep", made.append)
    return made


def test_what_was_left_undone_is_written_after_a_pause(pauses: list[float]) -> None:
    client: Any = Short(room=2)
    DynamoAudit(client, "audit").write([{"tenantId": "acme", "auditId": str(n)} for n in range(5)])
    assert len(client.written) == 5
    assert len(pauses) == 2


def test_what_was_left_out_is_read_after_a_pause(pauses: list[float]) -> None:
    client: Any = Short(room=2)
    jobs = DynamoJobs(client, "jobs", "workspaces").get_many([("acme", str(n)) for n in range(5)])
    assert [job.dispatch_id for job in jobs] == ["0", "1", "2", "3", "4"]
    assert len(pauses) == 2


def test_a_table_without_any_capacity_is_given_up(pauses: list[float]) -> None:
    client: Any = Short(room=0)
    with pytest.raises(UnavailableError):
        DynamoAudit(client, "audit").write([{"tenantId": "acme", "auditId": "1"}])
    assert 0 < len(pauses) < 20
