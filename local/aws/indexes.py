"""Queries that look only at what they may find; moto looks at every item of the table, sorted anew.

Kept beside moto's tables: for each partition key the sort keys in order, and for each index the items
under each of its partition keys. Both follow every write. Callers hold the region's lock.
"""

import bisect
from collections import defaultdict
from typing import Any
from weakref import WeakKeyDictionary

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

KEY_TYPES = frozenset("SNB")
KNOWN = frozenset({"hash_key_conditions", "range_key_conditions", "filter_expression"})  # of `Table.query`

_indexes: "WeakKeyDictionary[Any, Indexes]" = WeakKeyDictionary()


class Indexes:
    """The order of one table's items, and its secondary indexes."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._order: dict[Any, list[Any]] = {}  # partition key -> sort keys in order
        self._under: dict[str, dict[Any, dict[Any, Any]]] = {}  # index -> its partition key -> key -> item
        self._where: dict[str, dict[Any, Any]] = {}  # index -> key -> its partition key

    def wrote(self, hash_key: Any, range_key: Any) -> None:
        """The item with this key was put, changed or deleted."""
        item = self._item(hash_key, range_key)
        key = (_plain(hash_key), _plain(range_key))
        order = self._order.get(key[0])
        if order is not None and range_key is not None:
            _keep(order, range_key, present=item is not None)
        for name, under in self._under.items():
            before = self._where[name].pop(key, None)
            if before is not None:
                under[before].pop(key, None)
            self._enter(name, key, item)

    def of_index(self, index: str, hash_key: Any, ranges: list[tuple[str, str, list[Any]]]) -> list[Any]:
        """Every item that a query of a secondary index finds, in the table's order."""
        found = self._index(index).get(_plain(hash_key), {}).values()
        return sorted((item for item in found if _in_range(item, ranges)), key=self._table_order)

    def candidates(self, hash_key: Any, limit: int | None, start: Any, *, forward: bool) -> list[Any]:
        """Every item that a query can find, in the table's order.

        With a `limit`: from the exclusive start key on, enough to fill it and to tell whether more follow.
        """
        partition = self._table.items.get(hash_key)
        if partition is None:
            return []
        if not self._table.has_range_key:
            return [partition]
        order = self._ordered(hash_key, partition)
        first, last = 0, len(order)
        if limit and forward:
            first = bisect.bisect_left(order, start) if start is not None else 0
            last = first + limit + 2
        elif limit:
            last = bisect.bisect_right(order, start) if start is not None else last
            first = max(0, last - limit - 2)
        return [partition[range_key] for range_key in order[first:last]]

    def _ordered(self, hash_key: Any, partition: dict[Any, Any]) -> list[Any]:
        key = _plain(hash_key)
        if key not in self._order or len(self._order[key]) != len(partition):
            self._order[key] = sorted(partition)
        return self._order[key]

    def _index(self, name: str) -> dict[Any, dict[Any, Any]]:
        if name not in self._under:
            self._under[name] = defaultdict(dict)
            self._where[name] = {}
            for item in self._table.all_items():
                self._enter(name, (_plain(item.hash_key), _plain(item.range_key)), item)
        return self._under[name]

    def _enter(self, name: str, key: Any, item: Any) -> None:
        if item is None:
            return
        schema = self._table.get_index(name).schema
        (attribute, *_) = [each["AttributeName"] for each in schema if each["KeyType"] == "HASH"]
        value = item.attrs.get(attribute)
        if value is not None and value.type in KEY_TYPES:
            self._under[name][_plain(value)][key] = item
            self._where[name][key] = _plain(value)

    def _item(self, hash_key: Any, range_key: Any) -> Any:
        partition = self._table.items.get(hash_key)
        if partition is None or not self._table.has_range_key:
            return partition
        return partition.get(range_key)

    def _table_order(self, item: Any) -> Any:
        return (item.hash_key, item.range_key) if item.range_key else item.hash_key


def install() -> None:
    """Let moto's queries and writes use and keep the indexes."""
    moto_query = Table.query

    def query(table: Any, hash_key: Any, *arguments: Any, **more: Any) -> Any:
        found = _narrowed(table, hash_key, arguments, more)
        if found is None:
            return moto_query(table, hash_key, *arguments, **more)
        table.all_items = lambda: found
        try:
            return moto_query(table, hash_key, *arguments, **more)
        finally:
            del table.all_items

    Table.query = query
    for name in ("put_item", "update_item", "delete_item"):
        setattr(DynamoDBBackend, name, _following(getattr(DynamoDBBackend, name)))


def _narrowed(
    table: Any, hash_key: Any, arguments: tuple[Any, ...], more: dict[str, Any]
) -> list[Any] | None:
    """The candidates of a query, from the arguments of moto's `Table.query`."""
    comparison, _, limit, start, forward, _, index, *_ = (*arguments, None, None)
    conditions = more.get("hash_key_conditions") or []
    if index:
        if len(conditions) != 1:
            return None
        return _of(table).of_index(index, conditions[0][1], more.get("range_key_conditions") or [])
    # DynamoDB filters after the limit, but compares sort keys before it.
    narrow = None if comparison or any(name not in KNOWN for name in more) else limit
    begin = start.get(table.range_key_attr) if start and table.range_key_attr else None
    return _of(table).candidates(hash_key, narrow, _typed(begin), forward=bool(forward))


def _in_range(item: Any, conditions: list[tuple[str, str, list[Any]]]) -> bool:
    """Whether an item's sort keys fit; moto asks the same, after it has copied and sorted all of them."""
    return all(
        name in item.attrs and item.attrs[name].compare(comparison, values)
        for name, comparison, values in conditions
    )


def _typed(value: Any) -> Any:
    return DynamoType(value) if isinstance(value, dict) else value


def _of(table: Any) -> Indexes:
    if table not in _indexes:
        _indexes[table] = Indexes(table)
    return _indexes[table]


def _following(write: Any) -> Any:
    """A write of moto's backend that tells the table's indexes which key it wrote."""

    def followed(backend: Any, *arguments: Any, **more: Any) -> Any:
        try:
            return write(backend, *arguments, **more)
        finally:
            name = arguments[0] if arguments else more["table_name"]
            key = arguments[1] if len(arguments) > 1 else more.get("item_attrs", more.get("key", {}))
            table = backend.tables.get(str(name).rsplit("/", 1)[-1])
            if table is not None:
                wrote(table, key)

    return followed


def wrote(table: Any, key: dict[str, Any]) -> None:
    """An item of moto's table was put, changed or deleted; `key` has at least its key attributes."""
    indexes = _indexes.get(table)
    if indexes is not None and table.hash_key_attr in key:
        range_key = key.get(table.range_key_attr) if table.range_key_attr else None
        indexes.wrote(_typed(key[table.hash_key_attr]), _typed(range_key))


def _plain(value: Any) -> Any:
    """A key's type and value, which can be compared and hashed quickly."""
    return None if value is None else (value.type, value.value)


def _keep(order: list[Any], value: Any, *, present: bool) -> None:
    at = bisect.bisect_left(order, value)
    there = at < len(order) and order[at] == value
    if present and not there:
        order.insert(at, value)
    elif there and not present:
        del order[at]
