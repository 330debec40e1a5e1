"""Remedies that put a role's inline policy back."""

from __future__ import annotations

import json
from typing import Any

from runbooks.observations import Region
from runbooks.remedies import Action, Call, Plan


def put_inline_policy(region: Region, role: str, name: str, document: dict[str, Any]) -> Plan:
    """Write a role's inline policy; undone by the one of before, or by deleting it if there was none."""
    policy = {"RoleName": role, "PolicyName": name}
    before = region.access.inline_policy(role, name)
    undo = (
        Call("iam:PutRolePolicy", policy | {"PolicyDocument": before})
        if before
        else Call("iam:DeleteRolePolicy", policy)
    )
    put = Call("iam:PutRolePolicy", policy | {"PolicyDocument": json.dumps(document)})
    was = policy | ({"PolicyDocument": before} if before else {})
    return Plan(actions=(Action(put, undo, was),), state=before)
