"""TransactWriteItems that is atomic at a cost that does not grow with the table.

moto copies whole tables to be able to undo. Here every condition is judged before anything is written,
and what was there is put back if a write fails after all.
"""

import copy
import logging
from typing import Any

from moto.dynamodb import exceptions
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.models import DynamoDBBackend

from local.aws import indexes

MAX_ITEMS = 100
log = logging.getLogger(__name__)


def install() -> None:
    """Put it in place of moto's."""
    DynamoDBBackend.transact_write_items = transact_write_items


def transact_write_items(backend: Any, transact_items: list[dict[str, Any]]) -> None:
    """Write all or nothing. Raises moto's TransactionCanceledException with a reason for each item."""
    if len(transact_items) > MAX_ITEMS:
        raise exceptions.TooManyTransactionsException
    steps = [_step(backend, each) for each in transact_items]
    targets = {(table, repr(sorted(key.items()))) for _, _, table, key in steps}
    if len(targets) < len(steps):
        raise exceptions.MultipleTransactionsException
    reasons: list[tuple[Any, Any, Any]] = [_judge(backend, *step) for step in steps]
    if any(code for code, _, _ in reasons):
        raise exceptions.TransactionCanceledException(reasons)
    done: list[tuple[str, dict[str, Any], Any]] = []
    for index, (kind, operation, table, key) in enumerate(steps):
        done.append((table, key, copy.deepcopy(backend.get_item(table, key))))
        try:
            _write(backend, kind, operation, table, key)
        except exceptions.MockValidationException:
            _undo(backend, done)
            raise
        except Exception as error:  # a defect of the emulator: nothing stays written, and its log says so
            log.exception("%s of a transaction failed", kind)
            _undo(backend, done)
            reasons[index] = (type(error).__name__, str(error), None)
            raise exceptions.TransactionCanceledException(reasons) from error


def _step(backend: Any, item: dict[str, Any]) -> tuple[str, dict[str, Any], str, dict[str, Any]]:
    """Kind, operation, table and key of one item."""
    if len(item) > 1:
        raise exceptions.TransactWriteSingleOpException
    kind, operation = next(iter(item.items()))
    table = backend.get_table(operation["TableName"])
    if kind != "Put":
        return kind, operation, table.name, dict(operation["Key"])
    names = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
    return kind, operation, table.name, {name: operation["Item"][name] for name in names}


def _judge(
    backend: Any, kind: str, operation: dict[str, Any], table: str, key: dict[str, Any]
) -> tuple[Any, Any, Any]:
    condition = operation.get("ConditionExpression")
    if condition is None:
        return None, None, None
    current = backend.get_item(table, key)
    expression = get_filter_expression(
        condition, operation.get("ExpressionAttributeNames"), operation.get("ExpressionAttributeValues")
    )
    if expression.expr(current):
        return None, None, None
    shown = operation.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and current
    original = current.to_json()["Attributes"] if shown else None
    return "ConditionalCheckFailed", "The conditional request failed", original


def _write(backend: Any, kind: str, operation: dict[str, Any], table: str, key: dict[str, Any]) -> None:
    names = {
        "expression_attribute_names": operation.get("ExpressionAttributeNames"),
        "expression_attribute_values": operation.get("ExpressionAttributeValues"),
        "condition_expression": operation.get("ConditionExpression"),
    }
    if kind == "Put":
        backend.put_item(table, operation["Item"], **names)
    elif kind == "Delete":
        backend.delete_item(table, key, **names)
    elif kind == "Update":
        backend.update_item(table, key, update_expression=operation["UpdateExpression"], **names)


def _undo(backend: Any, done: list[tuple[str, dict[str, Any], Any]]) -> None:
    for name, key, before in reversed(done):
        table = backend.get_table(name)
        if before is None:
            backend.delete_item(name, key)
        elif table.has_range_key:
            table.items[before.hash_key][before.range_key] = before
        else:
            table.items[before.hash_key] = before
        indexes.wrote(table, key)
