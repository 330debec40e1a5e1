"""Policies cannot be written with wildcards, and come out the same each time."""

import pytest

from infra.policies import Statement
from outpost.errors import OutpostError


@pytest.mark.parametrize(
    "statement",
    [
        {"actions": ["s3:*"], "resources": ["arn:aws:s3:::b"]},
        {"actions": ["s3:Get*"], "resources": ["arn:aws:s3:::b"]},
        {"actions": ["s3:GetObject"], "resources": ["*"]},
        {"actions": ["s3:GetObject"]},
        {"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::b"], "any_resource": "why not"},
    ],
)
def test_a_statement_nobody_could_justify_is_refused(statement: dict[str, list[str]]) -> None:
    with pytest.raises(OutpostError) as failure:
        Statement(sid="Wide", **statement)  # type: ignore[arg-type]
    assert failure.value.code == "invalid-policy"


def test_a_wildcard_resource_with_its_reason_is_allowed() -> None:
    statement = Statement(
        sid="Login", actions=["ecr:GetAuthorizationToken"], any_resource="no resource level"
    )
    assert statement.document()["Resource"] == "*"


def test_a_deny_may_name_every_action() -> None:
    statement = Statement(
        sid="Tls", effect="Deny", actions=["s3:*"], resources=["arn:aws:s3:::b"], principals="*"
    )
    assert statement.document()["Action"] == ["s3:*"]
