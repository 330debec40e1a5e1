"""Records that cannot be read: spoilt by hand, or written by a newer version before a roll-back."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.service.harness import World

SPOILT: list[dict[str, Any]] = [
    {"status": {"S": "PAUSED"}},
    {"agent": {"S": "another"}},
    {"createdAt": {"S": "yesterday"}},
    {"reason": {"S": "because"}},
]


@pytest.mark.parametrize("attributes", SPOILT)
def test_one_unreadable_record_hides_no_other(
    world: World, http: TestClient, attributes: dict[str, Any]
) -> None:
    key = {"X-API-Key": world.key()}
    body = {"agent": "claude", "task": "say hello"}
    ids = [http.post("/dispatch", json=body, headers=key).json()["dispatchId"] for _ in range(3)]
    dynamodb, table = world.boto("dynamodb"), world.settings.jobs_table
    for dispatch_id in ids:
        where = {"tenantId": {"S": "acme"}, "dispatchId": {"S": dispatch_id}}
        item = dynamodb.get_item(TableName=table, Key=where)["Item"] | {"deadlineAt": {"N": "1"}}
        dynamodb.put_item(TableName=table, Item=item | attributes if dispatch_id == ids[1] else item)
    listed = http.get("/dispatch", headers=key).json()["dispatches"]
    assert {each["dispatchId"] for each in listed} == {ids[0], ids[2]}
    assert world.services.reconciler.sweep_deadlines() == 2
