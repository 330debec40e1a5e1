"""What a plan does to a policy, by statement."""

import json
from typing import Any

import pytest

from runbooks.report import terminal
from runbooks.report.policy_changes import policy_changes
from runbooks.run import diagnose
from tests.runbooks.world import World, target

READ = {"Sid": "Read", "Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}
DENY = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:PutObject", "Resource": "*"}


def parameters(*statements: dict[str, Any]) -> dict[str, str]:
    return {"Bucket": "b", "Policy": json.dumps({"Statement": list(statements)})}


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (parameters(READ), parameters(READ), []),
        (
            parameters(READ, DENY),
            parameters(READ),
            ["- (no Sid): Effect Deny, Principal AWS *, Action s3:PutObject, Resource *"],
        ),
        (
            parameters(READ),
            {"Bucket": "b"},  # the call that deletes it
            ["- Read: Effect Allow, Action s3:Get*, Action s3:List*, Resource *"],
        ),
        (
            {"Bucket": "b"},
            parameters(READ),
            ["+ Read: Effect Allow, Action s3:Get*, Action s3:List*, Resource *"],
        ),
        (
            parameters(READ),
            parameters(READ | {"Action": ["s3:Get*", "s3:PutObject"]}),
            ["- Read: Action s3:List*", "+ Read: Action s3:PutObject"],
        ),
        (
            {"PolicyDocument": json.dumps({"Statement": READ})},  # one statement need not be in a list
            {"PolicyDocument": json.dumps({"Statement": [READ | {"Effect": "Deny"}]})},
            ["- Read: Effect Allow", "+ Read: Effect Deny"],
        ),
    ],
)
def test_statements_that_go_and_come(before: dict[str, str], after: dict[str, str], shown: list[str]) -> None:
    assert policy_changes(before, after) == shown


def test_a_plan_says_which_statements_of_a_bucket_policy_go(world: World) -> None:
    world.bucket_policy = parameters(READ, DENY | {"Sid": "NoUploads", "Principal": "*"})["Policy"]
    text = terminal.render(diagnose(target(), world), terminal.Style(), plans=True)
    assert "- NoUploads: Effect Deny, Principal *, Action s3:PutObject" in " ".join(text.split())
    assert "- Read" not in text
    assert "aws s3api put-bucket-policy --bucket" in text


def test_a_plan_says_which_statements_of_a_role_come(world: World) -> None:
    world.policies.clear()
    plans = [finding.plan for finding in diagnose(target(), world).findings if finding.plan]
    put = [a for plan in plans for a in plan.actions if a.call.operation == "iam:PutRolePolicy"]
    assert put
    text = terminal.render(diagnose(target(), world), terminal.Style(), plans=True)
    shown = " ".join(text.split())
    for action in put:
        for statement in json.loads(action.call.parameters["PolicyDocument"])["Statement"]:
            assert f"+ {statement['Sid']}: Effect Allow" in shown
