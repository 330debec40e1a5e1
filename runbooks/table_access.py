"""The control plane's tables: which its settings name, and what its role may do with them."""

from __future__ import annotations

from outpost.policy import Verdict as Decided
from runbooks.definitions import deploy, with_environment
from runbooks.grants import put_inline_policy
from runbooks.model import Evidence
from runbooks.observations import Region
from runbooks.observations.shapes import Definition
from runbooks.remedies import Plan

ACTIONS = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query")
FURTHER = ("dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem")
TRAIL = "dynamodb:BatchWriteItem"  # of the audit table alone
POLICY = "dynamodb-access"


def misnamed(definition: Definition, region: Region) -> dict[str, str]:
    """Variables that name another table than the stack's, and the table that each should name."""
    names = region.names
    wanted = {
        "JOBS_TABLE": names.jobs_table,
        "API_KEYS_TABLE": names.api_keys_table,
        "AUDIT_TABLE": names.audit_table,
        "WORKSPACES_TABLE": names.workspaces_table,
    }
    return {
        variable: table
        for variable, table in wanted.items()
        if definition.environment.get(variable) not in (None, "", table)
    }


def _arns(region: Region) -> list[str]:
    account, where, names = region.access.account(), region.target.region, region.names
    tables = (names.jobs_table, names.api_keys_table, names.audit_table, names.workspaces_table)
    return [f"arn:aws:dynamodb:{where}:{account}:table/{table}" for table in tables]


def lacking(region: Region, role: str) -> list[tuple[str, str, Decided]]:
    """Action, table ARN and decision of whatever the role may not do with the tables. Raises `Absent`."""
    found = []
    for arn in _arns(region):
        trail = (TRAIL,) if arn.endswith(f"/{region.names.audit_table}") else ()
        for action in (*ACTIONS, *trail):
            decision = region.access.may(role, action, arn)
            if not decision.allowed:
                found.append((action, arn, decision.verdict))
    return found


def denials(region: Region, role: str) -> list[Evidence]:
    """What the role may not do, a line for each table: a role without its policy lacks all of it."""
    found: dict[tuple[str, Decided], list[str]] = {}
    for action, arn, verdict in lacking(region, role):
        found.setdefault((arn, verdict), []).append(action)
    return [
        Evidence("iam:GetRolePolicy", role, f"{verdict.value} of {', '.join(actions)}", f"allow on {arn}")
        for (arn, verdict), actions in found.items()
    ]


def restore(region: Region) -> Plan | None:
    """Name the stack's tables, or put back the role's policy; a person decides where one denies."""
    definition = region.containers.definition()
    wrong = misnamed(definition, region)
    if wrong:
        return deploy(region, with_environment(definition, wrong))
    missing = lacking(region, definition.task_role)
    if not missing or any(verdict is Decided.EXPLICIT_DENY for _, _, verdict in missing):
        return None
    arns = _arns(region)
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Items",
                "Effect": "Allow",
                "Action": sorted([*ACTIONS, *FURTHER]),
                "Resource": arns + [arn + "/index/*" for arn in arns],
            },
            {
                "Sid": "Trail",
                "Effect": "Allow",
                "Action": [TRAIL],
                "Resource": [arn for arn in arns if arn.endswith(f"/{region.names.audit_table}")],
            },
        ],
    }
    return put_inline_policy(region, definition.task_role, POLICY, document)
