"""Queries through the kept indexes give what moto gives by looking at everything."""

import random
from typing import Any

import pytest
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

import local.aws  # noqa: F401 - before moto, of which it loads less
from local.aws import indexes

ATTRIBUTES = [
    {"AttributeName": name, "AttributeType": kind}
    for name, kind in (("p", "S"), ("s", "S"), ("g", "S"), ("n", "N"))
]
KEYS = [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}]
INDEX = {
    "IndexName": "by-g",
    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
    "Projection": {"ProjectionType": "ALL"},
}
plain_query = Table.query


@pytest.fixture(scope="module", autouse=True)
def installed() -> Any:
    names = ("put_item", "update_item", "delete_item")
    before = {name: getattr(DynamoDBBackend, name) for name in names}
    indexes.install()
    yield
    Table.query = plain_query
    for name in names:
        setattr(DynamoDBBackend, name, before[name])


@pytest.fixture
def backend() -> Any:
    made = DynamoDBBackend("us-east-1", "123456789012")
    made.create_table(
        name="t",
        schema=KEYS,
        throughput=None,
        attr=ATTRIBUTES,
        global_indexes=[INDEX],
        indexes=None,
        streams=None,
        billing_mode="PAY_PER_REQUEST",
        sse_specification=None,
        tags=[],
        deletion_protection_enabled=False,
        warm_throughput=None,
    )
    return made


def test_random_writes_and_queries_agree_with_a_look_at_every_item(backend: Any) -> None:
    chance = random.Random(7)
    for _ in range(400):
        key = {"p": {"S": chance.choice("ab")}, "s": {"S": f"{chance.randrange(60):03d}"}}
        action = chance.random()
        if action < 0.5:
            extra = {"g": {"S": chance.choice("xyz")}, "n": {"N": str(chance.randrange(9))}}
            backend.put_item("t", {**key, **(extra if chance.random() < 0.7 else {})})
        elif action < 0.7:
            backend.delete_item("t", key)
        elif backend.get_item("t", key):
            _update(backend, key, chance)
        _compare(backend, chance)


def _update(backend: Any, key: dict[str, Any], chance: random.Random) -> None:
    values = {":g": {"S": chance.choice("xyz")}, ":n": {"N": "5"}}
    change, used = chance.choice([("SET g = :g, n = :n", values), ("REMOVE g", {})])
    backend.update_item(
        table_name="t",
        key=key,
        update_expression=change,
        expression_attribute_names={},
        expression_attribute_values=used,
    )


def _compare(backend: Any, chance: random.Random) -> None:
    table = backend.get_table("t")
    forward, limit = chance.random() < 0.5, chance.choice([None, 1, 3, 50])
    start = None
    while True:
        arguments = ({"S": "a"}, None, [], limit, start, forward, None)
        found, _, start = backend.query("t", *arguments)
        expected = _by_moto(table, lambda arguments=arguments: backend.query("t", *arguments))
        assert _keys(found) == _keys(expected[0])
        assert start == expected[2]
        if start is None:
            break
    more: dict[str, Any] = {"index_name": "by-g", "hash_key_conditions": [("g", {"S": "x"})]}
    comparison = chance.choice([None, "<=", ">", "="])
    if comparison:
        more["range_key_conditions"] = [("n", comparison, [{"N": "4"}])]
    base = (None, comparison, [{"N": "4"}] if comparison else [], limit, None, forward, None)
    found = backend.query("t", *base, **more)
    assert _keys(found[0]) == _keys(_by_moto(table, lambda: backend.query("t", *base, **more))[0])


def _by_moto(table: Any, query: Any) -> Any:
    kept, Table.query = Table.query, plain_query
    try:
        return query()
    finally:
        Table.query = kept


def _keys(items: list[Any]) -> list[tuple[str, str]]:
    return [(item.hash_key.value, item.range_key.value) for item in items]
