"""The read-only IAM policy that diagnosing needs, generated from the reads that checks may make."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from outpost.names import SERVICE, Names
from runbooks.permissions import OPERATIONS, Permission


def filled(names: Names, *, region: str, account: str) -> Callable[[str], str]:
    """Fills the placeholders of a permission's resources and conditions."""
    facts = {
        "region": region,
        "account": account,
        "stack": names.stack,
        "cluster": names.cluster,
        "service": SERVICE,
        "jobs_table": names.jobs_table,
        "api_keys_table": names.api_keys_table,
        "audit_table": names.audit_table,
        "workspaces_table": names.workspaces_table,
    }
    return lambda text: text.format(**facts)


def read_only_policy(
    names: Names, *, region: str, account: str, permissions: Iterable[Permission | None] | None = None
) -> str:
    """The policy (JSON) with which every check can look, and nothing else.

    Actions with the same resources and conditions share a statement.
    """
    fill = filled(names, region=region, account=account)
    groups: dict[tuple[tuple[str, ...], str], set[str]] = {}
    for permission in OPERATIONS.values() if permissions is None else permissions:
        if permission is None:
            continue
        resources = tuple(fill(resource) for resource in permission.resources)
        condition = {
            operator: {name: fill(value) for name, value in tests} for operator, tests in permission.condition
        }
        groups.setdefault((resources, json.dumps(condition)), set()).add(permission.action)
    statements = []
    for (resources, condition_text), actions in sorted(groups.items(), key=lambda group: sorted(group[1])):
        statement: dict[str, object] = {
            "Effect": "Allow",
            "Action": sorted(actions),
            "Resource": resources[0] if len(resources) == 1 else list(resources),
        }
        if condition_text != "{}":
            statement["Condition"] = json.loads(condition_text)
        statements.append(statement)
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)
