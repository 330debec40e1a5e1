"""Tables tell when their mode and their capacity changed last, as AWS tells it."""

from typing import Any

import pytest
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

import local.aws  # noqa: F401 - before moto, of which it loads less
from local.moto_extensions import dynamodb

KEY = "AttributeName"
UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}


@pytest.fixture(scope="module", autouse=True)
def installed() -> Any:
    before = Table.__init__, Table.describe, DynamoDBBackend.update_table
    dynamodb.install()
    yield
    Table.__init__, Table.describe, DynamoDBBackend.update_table = before


def made(mode: str) -> DynamoDBBackend:
    backend = DynamoDBBackend("us-east-1", "123456789012")
    backend.create_table(
        name="t",
        schema=[{KEY: "p", "KeyType": "HASH"}],
        throughput=dict(UNITS) if mode == "PROVISIONED" else None,
        attr=[{KEY: "p", "AttributeType": "S"}],
        global_indexes=[],
        indexes=None,
        streams=None,
        billing_mode=mode,
        sse_specification=None,
        tags=[],
        deletion_protection_enabled=False,
        warm_throughput=None,
    )
    return backend


def update(backend: DynamoDBBackend, **changes: Any) -> None:
    parameters = dict.fromkeys(
        (
            "attr_definitions",
            "global_index",
            "throughput",
            "billing_mode",
            "stream_spec",
            "deletion_protection_enabled",
            "warm_throughput",
        )
    )
    backend.update_table(name="t", **(parameters | changes))


def times(backend: DynamoDBBackend) -> set[str]:
    table = backend.describe_table("t")["Table"]
    return {
        name
        for part in ("BillingModeSummary", "ProvisionedThroughput")
        for name in table.get(part, {})
        if name.startswith("Last")
    }


def test_a_table_made_on_demand_tells_since_when() -> None:
    assert times(made("PAY_PER_REQUEST")) == {"LastUpdateToPayPerRequestDateTime"}


def test_more_and_less_capacity_are_told_apart() -> None:
    backend = made("PROVISIONED")
    assert times(backend) == set()
    update(backend, throughput={"ReadCapacityUnits": 9, "WriteCapacityUnits": 5})
    assert times(backend) == {"LastIncreaseDateTime"}
    update(backend, throughput={"ReadCapacityUnits": 9, "WriteCapacityUnits": 4})
    assert times(backend) == {"LastIncreaseDateTime", "LastDecreaseDateTime"}


def test_a_change_of_mode_is_told_and_no_change_is_not() -> None:
    backend = made("PROVISIONED")
    update(backend, throughput=dict(UNITS), billing_mode="PROVISIONED")
    assert times(backend) == set()
    update(backend, billing_mode="PAY_PER_REQUEST")
    assert times(backend) == {"LastUpdateToPayPerRequestDateTime"}
    table = backend.describe_table("t")["Table"]
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 0
    update(backend, throughput=dict(UNITS), billing_mode="PROVISIONED")
    assert times(backend) == {"LastUpdateToPayPerRequestDateTime", "LastIncreaseDateTime"}
