"""IAM policies that cannot be written wrongly: no wildcard action, no unexplained wildcard resource."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pulumi import Input, Output

from outpost.errors import OutpostError

Conditions = Mapping[str, Mapping[str, Any]]

ALL = "*"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement of a policy.

    `principals` is for resource policies and trust policies only. `any_resource` is the reason that a
    statement applies to every resource; without it `resources` must name them. Raises `OutpostError`
    (`invalid-policy`) for an allowed action with a wildcard and for a wildcard resource without a reason.
    """

    sid: str
    actions: Sequence[str]
    resources: Sequence[Input[str]] = ()
    any_resource: str = ""
    principals: Mapping[str, Any] | str = field(default_factory=dict)
    conditions: Conditions = field(default_factory=dict)
    effect: str = "Allow"

    def __post_init__(self) -> None:
        if self.effect == "Allow" and any("*" in action for action in self.actions):
            raise OutpostError("invalid-policy", f"{self.sid} allows a wildcard action.")
        if any(isinstance(resource, str) and resource == ALL for resource in self.resources):
            raise OutpostError("invalid-policy", f"{self.sid}: say `any_resource=REASON` instead of '*'.")
        if self.any_resource and self.resources:
            raise OutpostError("invalid-policy", f"{self.sid} names resources and applies to all of them.")
        if not (self.any_resource or self.resources or self.principals):
            raise OutpostError("invalid-policy", f"{self.sid} names no resource.")

    def document(self) -> dict[str, Any]:
        """The statement as IAM spells it."""
        body: dict[str, Any] = {"Sid": self.sid, "Effect": self.effect, "Action": list(self.actions)}
        if self.principals:
            body["Principal"] = self.principals
        if self.any_resource:
            body["Resource"] = ALL
        elif self.resources:
            body["Resource"] = list(self.resources)
        if self.conditions:
            body["Condition"] = self.conditions
        return body


def policy(*statements: Statement) -> Output[str]:
    """The policy as JSON: the same text on every run, unknown as long as a part of it is unknown."""
    document = {"Version": "2012-10-17", "Statement": [statement.document() for statement in statements]}
    return Output.json_dumps(document, sort_keys=True)


def trust(service: str, account: Input[str]) -> Output[str]:
    """A trust policy for an AWS service acting for this account only (no confused deputy)."""
    return policy(
        Statement(
            sid="Assume",
            actions=["sts:AssumeRole"],
            principals={"Service": service},
            conditions={"StringEquals": {"aws:SourceAccount": account}},
        )
    )


def tls_only(*resources: Input[str], service: str) -> Statement:
    """Deny whatever does not come over TLS. A deny may say "every action"; an allow may not."""
    return Statement(
        sid="TlsOnly",
        effect="Deny",
        actions=[f"{service}:*"],
        resources=resources,
        principals={"AWS": ALL},
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )
