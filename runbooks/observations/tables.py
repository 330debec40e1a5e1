"""DynamoDB tables, their capacity and its scaling; and DynamoDB's values as Python's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from runbooks.looking import Answer, Look
from runbooks.target import Target


class Tables:
    def __init__(self, look: Look, target: Target) -> None:
        self._look = look
        self._target = target

    def jobs(self) -> Answer:
        """The jobs table. Raises `Absent`."""
        return self._table(self._target.names.jobs_table)

    def api_keys(self) -> Answer:
        """The keys table. Raises `Absent`."""
        return self._table(self._target.names.api_keys_table)

    def audit(self) -> Answer:
        """The audit table. Raises `Absent`."""
        return self._table(self._target.names.audit_table)

    def workspaces(self) -> Answer:
        """The workspaces table. Raises `Absent`."""
        return self._table(self._target.names.workspaces_table)

    def scaling(self, table: str) -> dict[str, Answer]:
        """What is scaled of a table, by dimension (`dynamodb:table:ReadCapacityUnits`), with its limits."""
        answer = self._look(
            "application-autoscaling:DescribeScalableTargets",
            ServiceNamespace="dynamodb",
            ResourceIds=[f"table/{table}"],
        )
        return {target["ScalableDimension"]: target for target in answer.get("ScalableTargets", [])}

    def _table(self, name: str) -> Answer:
        found: Answer = self._look("dynamodb:DescribeTable", TableName=name)["Table"]
        return found


def provisioned(table: Answer) -> bool:
    """Whether capacity is provisioned rather than on demand."""
    return bool(table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED") != "PAY_PER_REQUEST")


def changed_at(table: Answer) -> datetime | None:
    """When the table's mode or provisioned capacity was last changed; None if it never was."""
    capacity = table.get("ProvisionedThroughput", {})
    moments = (
        table.get("BillingModeSummary", {}).get("LastUpdateToPayPerRequestDateTime"),
        capacity.get("LastIncreaseDateTime"),
        capacity.get("LastDecreaseDateTime"),
    )
    return max((moment for moment in moments if moment), default=None)


def plain(value: dict[str, Any]) -> Any:
    """A DynamoDB attribute value as Python's own type; numbers become int or float, sets sorted lists."""
    kind, content = next(iter(value.items()))
    if kind == "N":
        return float(content) if "." in content else int(content)
    if kind == "M":
        return {name: plain(item) for name, item in content.items()}
    if kind == "L":
        return [plain(item) for item in content]
    if kind == "NULL":
        return None
    return sorted(content) if kind in ("SS", "NS") else content


def plain_item(item: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {name: plain(value) for name, value in item.items()}
