"""A role is assumed by those whom its trust policy names, and by nobody else."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from local.testing import LocalRegion

pytestmark = pytest.mark.region

ROOT = "arn:aws:iam::123456789012:root"


@pytest.fixture
def role(empty_region: LocalRegion) -> Iterator[Any]:
    """Make a role with a trust policy; answers with its ARN."""
    iam = empty_region.client("iam")
    made: list[str] = []

    def make(principal: Any, **condition: Any) -> str:
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **condition}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        made.append(f"trusting-{len(made)}")
        return str(iam.create_role(RoleName=made[-1], AssumeRolePolicyDocument=document)["Role"]["Arn"])

    yield make
    for name in made:
        iam.delete_role(RoleName=name)


def assume(region: LocalRegion, arn: str, **more: str) -> str:
    """The code with which the operator is refused; nothing when the role was assumed."""
    try:
        region.client("sts").assume_role(RoleArn=arn, RoleSessionName="test", **more)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_the_account_and_its_users_can_be_trusted(empty_region: LocalRegion, role: Any) -> None:
    operator = empty_region.client("sts").get_caller_identity()["Arn"]
    for principal in ({"AWS": ROOT}, {"AWS": "123456789012"}, {"AWS": [operator]}, {"AWS": "*"}):
        assert assume(empty_region, role(principal)) == ""


def test_an_administrator_cannot_be_a_task(empty_region: LocalRegion, role: Any) -> None:
    tasks = role({"Service": "ecs-tasks.amazonaws.com"})
    assert assume(empty_region, tasks) == "AccessDenied"
    assert assume(empty_region, role({"AWS": ROOT + "2"})) == "AccessDenied"
    assert assume(empty_region, "arn:aws:iam::123456789012:role/missing") == "AccessDenied"


def test_conditions_of_trust_are_asked(empty_region: LocalRegion, role: Any) -> None:
    arn = role({"AWS": ROOT}, Condition={"StringEquals": {"sts:ExternalId": "known"}})
    assert assume(empty_region, arn) == "AccessDenied"
    assert assume(empty_region, arn, ExternalId="known") == ""


def test_a_made_up_token_assumes_nothing(empty_region: LocalRegion, role: Any) -> None:
    """Unsigned and signed: moto would hand out credentials for any token."""
    arn = role({"Federated": "accounts.google.com"}, Action="sts:AssumeRoleWithWebIdentity")
    asked = {"RoleArn": arn, "RoleSessionName": "test", "WebIdentityToken": "made-up"}
    with pytest.raises(ClientError) as error:
        empty_region.client("sts").assume_role_with_web_identity(**asked)
    assert error.value.response["Error"]["Code"] == "AccessDenied"
    form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", **asked}
    scope = "AKIANOBODY/20260101/us-east-1/sts/aws4_request"
    signed = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    for headers in ({}, {"Authorization": signed}):
        answer = httpx.post(empty_region.aws_url, data=form, headers=headers)
        assert (answer.status_code, "AccessKeyId" in answer.text) == (403, False)
