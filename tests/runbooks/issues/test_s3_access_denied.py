"""S3 access denied: the role, the bucket's policy, the bucket's name."""

import json
from typing import Any

import pytest

from runbooks.looking import CouldNotLook
from runbooks.model import Verdict
from tests.runbooks.judging import assert_root, judged, operations
from tests.runbooks.world import ACCOUNT, NAMES, ROLE, World, allow

BUCKET = NAMES.artifacts_bucket
LOST = {"issue": "s3-access-denied", "code": "upload-denied", "summary": "The artifacts could not be stored"}


def deny(**more: Any) -> dict[str, Any]:
    return {
        "Sid": "Denied",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
    } | more


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


TLS = deny(Sid="TlsOnly", Action="s3:*", Condition={"Bool": {"aws:SecureTransport": "false"}})


def test_a_role_without_the_permission(world: World) -> None:
    world.policies["s3-access"] = allow("s3:GetObject", "*")
    world.add_job(reason=LOST)
    report = assert_root(world, "s3-access-denied/missing-permission", Verdict.FAIL)
    assert operations(report) == ["iam:PutRolePolicy"]
    evidence = report.findings[0].judgement.evidence
    assert [e.source for e in evidence] == ["iam:GetRolePolicy", "dynamodb:Query"]


def test_a_role_that_is_denied_on_purpose_is_left_to_a_person(world: World) -> None:
    world.policies["no-uploads"] = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"}],
    }
    report = assert_root(world, "s3-access-denied/missing-permission", Verdict.FAIL)
    assert operations(report) == []


@pytest.mark.parametrize(
    "statement",
    [
        deny(),
        deny(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"}),
        deny(Action="s3:*", Condition={"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::*:role/{ROLE}"}}),
    ],
)
def test_a_bucket_policy_that_denies(world: World, statement: dict[str, Any]) -> None:
    world.bucket_policy = policy(TLS, statement)
    report = assert_root(world, "s3-access-denied/bucket-policy-denies", Verdict.FAIL)
    assert "Denied" in report.findings[0].judgement.summary
    plan = report.findings[0].plan
    assert plan is not None
    kept = json.loads(plan.actions[0].call.parameters["Policy"])["Statement"]
    assert [s["Sid"] for s in kept] == ["TlsOnly"]


@pytest.mark.parametrize(
    "statement",
    [TLS, deny(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}), deny(Action="s3:DeleteObject")],
)
def test_a_bucket_policy_that_denies_others_is_no_finding(world: World, statement: dict[str, Any]) -> None:
    world.bucket_policy = policy(statement)
    assert judged(world, "s3-access-denied/bucket-policy-denies").judgement.verdict is Verdict.OK


def test_a_denial_that_depends_on_the_request_is_only_a_risk(world: World) -> None:
    world.bucket_policy = policy(deny(Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}))
    report = assert_root(world, "s3-access-denied/bucket-policy-denies", Verdict.WARN)
    assert operations(report) == []
    world.add_job(reason=LOST)
    assert_root(world, "s3-access-denied/bucket-policy-denies", Verdict.FAIL)


@pytest.mark.parametrize("name", ["someone-elses", f"{BUCKET}-gone"])
def test_a_bucket_that_is_not_the_stacks_or_not_there(world: World, name: str) -> None:
    world.environment["S3_ARTIFACTS_BUCKET"] = name
    world.put_control_plane(7)
    report = assert_root(world, "s3-access-denied/wrong-bucket-name", Verdict.FAIL)
    plan = report.findings[0].plan
    assert plan is not None
    environment = plan.actions[0].call.parameters["containerDefinitions"][0]["environment"]
    assert {"name": "S3_ARTIFACTS_BUCKET", "value": BUCKET} in environment


def test_what_may_not_be_looked_at_is_unknown(world: World) -> None:
    for operation in ("s3:GetBucketPolicy", "iam:GetRolePolicy"):
        world.failing[operation] = CouldNotLook(operation, "denied", permission=operation)
    for cause in ("missing-permission", "bucket-policy-denies", "wrong-bucket-name"):
        assert judged(world, f"s3-access-denied/{cause}").judgement.verdict is Verdict.UNKNOWN
