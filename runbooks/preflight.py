"""The permission preflight: which permissions that diagnosing needs the caller lacks, before any run.

It reads the caller's own policies and evaluates them here. Where it may not read them, it says so; the run
itself then names each permission that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from outpost.names import Names
from outpost.policy import Request, Statement, evaluate, parse
from runbooks.looking import Absent, CouldNotLook
from runbooks.permissions import OPERATIONS, Permission
from runbooks.policy import filled

Call = Callable[[str, dict[str, Any]], dict[str, Any]]  # operation and parameters to answer
EXAMPLE = "preflight"  # stands for the `*` of a resource pattern
Policies = list[tuple[Statement, ...]]


def missing(call: Call, names: Names, *, region: str) -> list[str]:
    """The IAM actions that the caller lacks. Raises `CouldNotLook` when its policies cannot be read."""
    identity = call("sts:GetCallerIdentity", {})
    policies = caller_policies(call, str(identity["Arn"]))
    facts = {"region": region, "account": str(identity["Account"])}
    lacking = []
    for operation, permission in OPERATIONS.items():
        if permission is None:
            continue
        if not _allowed(policies, permission, filled(names, **facts), names, facts):
            lacking.append(f"{permission.action} (for {operation})")
    return lacking


def _allowed(
    policies: Policies,
    permission: Permission,
    fill: Callable[[str], str],
    names: Names,
    facts: dict[str, str],
) -> bool:
    cluster = f"arn:aws:ecs:{facts['region']}:{facts['account']}:cluster/{names.cluster}"
    for pattern in permission.resources:
        resource = "*" if pattern == "*" else fill(pattern).replace("*", EXAMPLE)
        request = Request(action=permission.action, resource=resource, context={"ecs:cluster": cluster})
        if not evaluate(policies, request).allowed:
            return False
    return True


def caller_policies(call: Call, arn: str) -> Policies:
    """The identity policies of a user or of an assumed role. Raises `CouldNotLook`."""
    kind, _, rest = arn.rpartition(":")[2].partition("/")
    try:
        if kind == "user":
            return list(_of_user(call, rest.rpartition("/")[2]))
        if kind == "assumed-role":
            return list(_of(call, "Role", {"RoleName": rest.partition("/")[0]}))
    except Absent as error:
        raise CouldNotLook(error.operation, "failed", error.detail) from error
    if kind == "root":
        return [
            parse({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
        ]
    raise CouldNotLook("sts:GetCallerIdentity", "not possible", f"policies of {arn} cannot be read")


def _of_user(call: Call, user: str) -> Iterator[tuple[Statement, ...]]:
    yield from _of(call, "User", {"UserName": user})
    for group in call("iam:ListGroupsForUser", {"UserName": user}).get("Groups", []):
        yield from _of(call, "Group", {"GroupName": group["GroupName"]})


def _of(call: Call, kind: str, who: dict[str, str]) -> Iterator[tuple[Statement, ...]]:
    """Policies, inline and attached, of a user, role or group: IAM's operations differ by the word."""
    for name in call(f"iam:List{kind}Policies", dict(who)).get("PolicyNames", []):
        answer = call(f"iam:Get{kind}Policy", {**who, "PolicyName": name})
        yield parse(answer["PolicyDocument"], name)
    for attached in call(f"iam:ListAttached{kind}Policies", dict(who)).get("AttachedPolicies", []):
        arn = attached["PolicyArn"]
        version = call("iam:GetPolicy", {"PolicyArn": arn})["Policy"]["DefaultVersionId"]
        answer = call("iam:GetPolicyVersion", {"PolicyArn": arn, "VersionId": version})
        yield parse(answer["PolicyVersion"]["Document"], attached["PolicyName"])
