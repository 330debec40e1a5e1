"""IAM's evaluation logic, rule by rule."""

from typing import Any

import pytest

from outpost.errors import OutpostError
from outpost.policy import Decision, Request, Verdict, evaluate, parse

JOBS = "arn:aws:dynamodb:us-east-1:123456789012:table/outpost-jobs-dev"
BUCKET = "arn:aws:s3:::outpost-artifacts-dev"


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": "*", "Resource": "*", **elements}


def decide(*statements: dict[str, Any], **request: Any) -> Decision:
    request.setdefault("action", "dynamodb:GetItem")
    policies = [parse({"Version": "2012-10-17", "Statement": list(statements)}, "p")]
    return evaluate(policies, Request(**request))


def holds(operator: str, key: str, values: Any, **context: Any) -> bool:
    """Whether a condition lets an allow through; context keys are written with _ for :."""
    names = {name.replace("_", ":", 1): value for name, value in context.items()}
    return decide(statement(Condition={operator: {key: values}}), context=names).allowed


def test_no_statement_is_an_implicit_deny() -> None:
    assert evaluate([], Request(action="s3:GetObject")).verdict is Verdict.IMPLICIT_DENY


def test_an_explicit_deny_wins_in_either_order_and_is_named() -> None:
    deny = statement("Deny", Sid="never", Action="dynamodb:*")
    for statements in ((statement(), deny), (deny, statement())):
        decision = decide(*statements)
        assert decision.verdict is Verdict.EXPLICIT_DENY
        assert decision.statement is not None
        assert (decision.statement.sid, decision.statement.policy) == ("never", "p")


@pytest.mark.parametrize(
    ("pattern", "action", "matches"),
    [
        ("dynamodb:GetItem", "dynamodb:GetItem", True),
        ("DynamoDB:getitem", "dynamodb:GetItem", True),
        ("dynamodb:Get*", "dynamodb:GetItem", True),
        ("dynamodb:?etItem", "dynamodb:GetItem", True),
        ("dynamodb:Get", "dynamodb:GetItem", False),
        ("dynamo.b:GetItem", "dynamodb:GetItem", False),
    ],
)
def test_actions(pattern: str, action: str, matches: bool) -> None:
    assert decide(statement(Action=[pattern]), action=action).allowed == matches


def test_not_action_and_not_resource_turn_the_match_round() -> None:
    everything_but = {"Effect": "Allow", "NotAction": "iam:*", "NotResource": JOBS}
    assert decide(everything_but, resource=BUCKET).allowed
    assert not decide(everything_but, resource=JOBS).allowed
    assert not decide(everything_but, action="iam:PassRole", resource=BUCKET).allowed


@pytest.mark.parametrize(
    ("pattern", "resource", "matches"),
    [
        (JOBS, JOBS, True),
        (JOBS, JOBS + "/index/deadline-index", False),
        (JOBS + "*", JOBS + "/index/deadline-index", True),
        ("arn:aws:dynamodb:*:*:table/outpost-*", JOBS, True),
        ("arn:aws:dynamodb:*:table/outpost-jobs-dev", JOBS, False),  # * stays inside a field
        (JOBS, JOBS.upper(), False),
        ("arn:aws:logs:us-east-1:1:log-group:/ecs/*", "arn:aws:logs:us-east-1:1:log-group:/ecs/a:b", True),
        ("*", "*", True),
        (JOBS, "*", False),  # an action without resource level needs Resource "*"
        ("arn:*", "*", False),
    ],
)
def test_resources(pattern: str, resource: str, matches: bool) -> None:
    assert decide(statement(Resource=pattern), resource=resource).allowed == matches


def test_policy_variables_are_literal_text_and_unset_ones_match_nothing() -> None:
    own = statement(Resource=BUCKET + "/${aws:username}/*")
    assert decide(own, resource=BUCKET + "/ann/x", context={"aws:username": "ann"}).allowed
    assert not decide(own, resource=BUCKET + "/bob/x", context={"aws:username": "ann"}).allowed
    assert not decide(own, resource=BUCKET + "/bob/x", context={"aws:username": "*"}).allowed
    assert not decide(own, resource=BUCKET + "/bob/x").allowed
    default = statement(Resource=BUCKET + "/${aws:PrincipalTag/team, 'none'}/x")
    assert decide(default, resource=BUCKET + "/none/x").allowed


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "met"),
    [
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a", "A", False),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", "a", "b", True),
        ("StringLike", "10.0.?", "10.0.1", True),
        ("StringNotLike", "10.*", "10.1", False),
        ("NumericLessThanEquals", "100", "100", True),
        ("NumericGreaterThan", 5, "5", False),
        ("NumericEquals", "5", "five", False),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", True),
        ("DateGreaterThan", "2026-01-01T00:00:00Z", "0", False),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("NotIpAddress", ["10.0.0.0/8"], "10.1.2.3", False),
        ("ArnLike", "arn:aws:iam::*:role/outpost-*", "arn:aws:iam::1:role/outpost-a", True),
        ("ArnNotEquals", JOBS, JOBS, False),
        ("Null", "false", "x", True),
        ("Null", "true", "x", False),
    ],
)
def test_operators(operator: str, wanted: Any, given: str, met: bool) -> None:
    assert holds(operator, "aws:x", wanted, aws_x=given) == met
    assert holds(operator, "AWS:X", wanted, aws_x=given) == met  # keys have no case


@pytest.mark.parametrize(
    ("operator", "met"),
    [
        ("StringEquals", False),
        ("StringEqualsIfExists", True),
        ("StringNotEquals", True),
        ("BoolIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("Null", True),
    ],
)
def test_a_missing_key(operator: str, met: bool) -> None:
    assert holds(operator, "aws:x", "true") == met


def test_set_operators_on_leading_keys() -> None:
    key = "dynamodb:LeadingKeys"
    assert holds("ForAllValues:StringEquals", key, ["a", "b"], dynamodb_LeadingKeys=["a", "b"])
    assert not holds("ForAllValues:StringEquals", key, ["a"], dynamodb_LeadingKeys=["a", "b"])
    assert holds("ForAnyValue:StringEquals", key, ["a"], dynamodb_LeadingKeys=["a", "b"])
    assert not holds("ForAllValues:StringNotLike", key, ["b*"], dynamodb_LeadingKeys=["a", "b1"])
    assert holds("ForAnyValue:StringNotLike", key, ["b*"], dynamodb_LeadingKeys=["a", "b1"])


def test_all_conditions_must_hold() -> None:
    both = statement(Condition={"StringEquals": {"aws:x": "1", "aws:y": "2"}})
    assert decide(both, context={"aws:x": "1", "aws:y": "2"}).allowed
    assert not decide(both, context={"aws:x": "1", "aws:y": "3"}).allowed


def test_principals_of_resource_policies() -> None:
    role = "arn:aws:iam::123456789012:role/worker"
    caller = {"principals": frozenset({role}), "account": "123456789012", "action": "s3:GetObject"}
    root = {"AWS": "arn:aws:iam::123456789012:root"}
    assert decide(statement(Principal="*"), **caller).allowed
    assert decide(statement(Principal={"AWS": [role]}), **caller).allowed
    assert not decide(statement(Principal={"AWS": role + "2"}), **caller).allowed
    assert not decide(statement(Principal={"Service": "s3.amazonaws.com"}), **caller).allowed
    # An account delegates to its identity policies, and can be denied as a whole.
    assert not decide(statement(Principal=root), **caller).allowed
    assert decide(statement("Deny", Principal=root), **caller).verdict is Verdict.EXPLICIT_DENY
    but_worker = {"Effect": "Deny", "NotPrincipal": {"AWS": role}, "Action": "*", "Resource": "*"}
    assert decide(statement(), but_worker, **caller).allowed


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "{}",
        '{"Statement": {"Effect": "Maybe", "Action": "*", "Resource": "*"}}',
        '{"Statement": {"Effect": "Allow", "Resource": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": "*", "Condition": {"StringIs": {"a": "b"}}}}',
    ],
)
def test_a_malformed_policy_is_an_error(document: str) -> None:
    with pytest.raises(OutpostError) as error:
        parse(document)
    assert error.value.code == "malformed-policy"
