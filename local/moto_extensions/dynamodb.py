"""DynamoDB: DescribeTable tells when a table's mode and its capacity were changed last.

On demand a table has no provisioned units; moto keeps those of before.
"""

import time
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

ON_DEMAND = "PAY_PER_REQUEST"
UNITS = ("ReadCapacityUnits", "WriteCapacityUnits")
NONE = dict.fromkeys((*UNITS, "NumberOfDecreasesToday"), 0)

_made = Table.__init__
_described = Table.describe
_updated = DynamoDBBackend.update_table


def install() -> None:
    Table.__init__ = _make
    Table.describe = _describe
    DynamoDBBackend.update_table = _update_table


def set_back(table: Any, seconds: float) -> None:
    """Let the table's changes have been so much earlier."""
    table.mode_changed = {name: at - seconds for name, at in table.mode_changed.items()}
    table.capacity_changed = {name: at - seconds for name, at in table.capacity_changed.items()}


def _make(table: Any, *arguments: Any, **parameters: Any) -> None:
    _made(table, *arguments, **parameters)
    on_demand = table.billing_mode == ON_DEMAND
    table.mode_changed = {"LastUpdateToPayPerRequestDateTime": _now()} if on_demand else {}
    table.capacity_changed = {}


def _describe(table: Any, base_key: str = "TableDescription") -> dict[str, Any]:
    described: dict[str, Any] = _described(table, base_key)
    shown = described[base_key]
    shown["BillingModeSummary"] = shown["BillingModeSummary"] | table.mode_changed
    shown["ProvisionedThroughput"] = shown["ProvisionedThroughput"] | table.capacity_changed
    return described


def _update_table(backend: Any, name: str, *arguments: Any, **parameters: Any) -> Any:
    table = backend.get_table(name)
    mode, units = table.billing_mode, dict(table.throughput)
    _updated(backend, name, *arguments, **parameters)
    if table.billing_mode == ON_DEMAND:
        if mode != ON_DEMAND:
            table.throughput = dict(NONE)
            table.mode_changed["LastUpdateToPayPerRequestDateTime"] = _now()
        return table
    table.throughput = NONE | table.throughput
    differences = [table.throughput[kind] - units.get(kind, 0) for kind in UNITS]
    if max(differences) > 0:
        table.capacity_changed["LastIncreaseDateTime"] = _now()
    if min(differences) < 0:
        table.capacity_changed["LastDecreaseDateTime"] = _now()
    return table


def _now() -> float:
    """Seconds since 1970, as AWS's JSON has it."""
    return time.time()
