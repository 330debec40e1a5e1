"""IAM's evaluation of policies: documents and a request in, a decision and the statement that made it out.

Own code: of the evaluators on PyPI, none takes conditions, policy variables and resource policies
together without calling AWS (its simulator) or another language's runtime.

Not imitated: permission boundaries, session policies, service and resource control policies.
"""

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from outpost.errors import OutpostError
from outpost.policy_conditions import Condition, Context, arn_like

_ACCOUNT = re.compile(r"(?:arn:[\w-]+:iam::)?(\d{12})(?::root)?")


class Verdict(StrEnum):
    """How IAM decides: an explicit deny wins over any allow, and no allow is a deny."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicit deny"
    IMPLICIT_DENY = "implicit deny"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One action on one resource.

    `resource` is an ARN, or `*` for an action without resource-level permissions. `principals` are the
    names under which the caller is known to a resource policy: the ARNs of the user, or of the session
    and its role, or a service (`ecs-tasks.amazonaws.com`). `account` is the caller's account.
    """

    action: str
    resource: str = "*"
    context: Context = field(default_factory=dict)
    principals: frozenset[str] = frozenset()
    account: str = ""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A parsed statement. `policy` names the policy it stands in."""

    policy: str
    sid: str
    effect: Literal["Allow", "Deny"]
    actions: re.Pattern[str]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    principals: tuple[str, ...] | None  # None: an identity policy
    not_principals: bool
    conditions: tuple[Condition, ...]

    def applies(self, request: Request, context: Context) -> bool:
        """Whether the statement speaks of this request; `context` has its condition keys in lower case."""
        if (self.actions.fullmatch(request.action) is not None) == self.not_actions:
            return False
        if self.resources and self._names_resource(request.resource, context) == self.not_resources:
            return False
        if self.principals is not None and self._names_principal(request) == self.not_principals:
            return False
        return all(condition.holds(context) for condition in self.conditions)

    def _names_resource(self, resource: str, context: Context) -> bool:
        if resource == "*":
            return "*" in self.resources
        return any(arn_like(pattern, resource, context) for pattern in self.resources)

    def _names_principal(self, request: Request) -> bool:
        for principal in self.principals or ():
            if principal == "*" or principal in request.principals:
                return True
            account = _ACCOUNT.fullmatch(principal)
            # An account as principal only lets its identity policies decide: it denies, and never allows.
            if account and account[1] == request.account and self.effect == "Deny":
                return True
        return False


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What IAM would answer, and the statement that decided (None: no statement spoke of the request)."""

    verdict: Verdict
    statement: Statement | None = None

    @property
    def allowed(self) -> bool:
        return self.verdict is Verdict.ALLOWED


def evaluate(policies: Iterable[Sequence[Statement]], request: Request) -> Decision:
    """Decide a request under the caller's identity policies and the resource's policies, in one account."""
    context = {key.lower(): value for key, value in request.context.items()}
    allow: Statement | None = None
    for statements in policies:
        for statement in statements:
            if statement.effect == "Allow" and allow is not None:
                continue
            if statement.applies(request, context):
                if statement.effect == "Deny":
                    return Decision(verdict=Verdict.EXPLICIT_DENY, statement=statement)
                allow = statement
    if allow is not None:
        return Decision(verdict=Verdict.ALLOWED, statement=allow)
    return Decision(verdict=Verdict.IMPLICIT_DENY)


def parse(document: str | Mapping[str, Any], name: str = "") -> tuple[Statement, ...]:
    """The statements of a policy document; parsed once per text.

    Raises `OutpostError` (`malformed-policy`).
    """
    return _parse(document if isinstance(document, str) else json.dumps(document), name)


@functools.lru_cache(maxsize=1024)
def _parse(text: str, name: str) -> tuple[Statement, ...]:
    try:
        statements = _listed(json.loads(text)["Statement"])
        return tuple(_statement(raw, name) for raw in statements)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutpostError("malformed-policy", f"policy {name}: {error!r}") from error


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _statement(raw: Mapping[str, Any], policy: str) -> Statement:
    patterns = _listed(raw.get("Action", raw.get("NotAction")))
    if patterns == [None] or raw["Effect"] not in ("Allow", "Deny"):
        raise ValueError("a statement needs an Effect of Allow or Deny, and Action or NotAction")
    principal = raw.get("Principal", raw.get("NotPrincipal"))
    return Statement(
        policy=policy,
        sid=raw.get("Sid", ""),
        effect=raw["Effect"],
        actions=_actions(patterns),
        not_actions="NotAction" in raw,
        resources=tuple(_listed(raw.get("Resource", raw.get("NotResource", [])))),
        not_resources="NotResource" in raw,
        principals=None if principal is None else _principals(principal),
        not_principals="NotPrincipal" in raw,
        conditions=tuple(
            Condition(operator=operator, key=key, values=tuple(_text(value) for value in _listed(values)))
            for operator, keys in raw.get("Condition", {}).items()
            for key, values in keys.items()
        ),
    )


def _actions(patterns: list[str]) -> re.Pattern[str]:
    """One expression for all patterns; actions are compared without regard to case."""
    expressions = (re.escape(p).replace(r"\*", ".*").replace(r"\?", ".") for p in patterns)
    return re.compile("|".join(f"(?:{expression})" for expression in expressions), re.IGNORECASE)


def _principals(principal: str | Mapping[str, Any]) -> tuple[str, ...]:
    if isinstance(principal, str):
        return (principal,)
    return tuple(name for names in principal.values() for name in _listed(names))


def _text(value: object) -> str:
    """Condition values may be written as JSON booleans and numbers."""
    return str(value).lower() if isinstance(value, bool) else str(value)
