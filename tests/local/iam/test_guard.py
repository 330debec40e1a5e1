"""IAM in front of the embedded AWS, seen through boto3 as a caller sees it."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.aws.moto_app import ACCOUNT
from local.testing import LocalRegion

CONFIG = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, signature_version="v4")


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegion]:
    """In a process of its own: what the region changes in moto must not reach other tests."""
    with LocalRegion.start(tmp_path_factory.mktemp("region"), deploy=False) as region:
        yield region


def client(region: LocalRegion, service: str, key: str, secret: str, token: str | None = None) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        region_name="us-east-1",
        endpoint_url=region.aws_url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=CONFIG,
    )


def operator(region: LocalRegion, service: str) -> Any:
    keys = region.session.get_credentials()
    assert keys is not None
    return client(region, service, keys.access_key, keys.secret_key)


def operator_key(region: LocalRegion) -> str:
    keys = region.session.get_credentials()
    assert keys is not None
    return keys.access_key


def user(region: LocalRegion, name: str, *statements: dict[str, Any]) -> tuple[str, str]:
    """A user with exactly these statements."""
    iam = operator(region, "iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="given", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def refused(call: Any, **parameters: Any) -> str:
    """The code with which a call is refused; fails when it is not."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return str(error.value.response["Error"]["Code"])


def table(region: LocalRegion, name: str) -> None:
    operator(region, "dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "tenantId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "tenantId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_a_table_that_is_not_named_is_denied(embedded: LocalRegion) -> None:
    table(embedded, "mine")
    table(embedded, "other")
    arn = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/mine"
    dynamodb = client(
        embedded, "dynamodb", *user(embedded, "reader", allow(["dynamodb:PutItem", "dynamodb:GetItem"], arn))
    )
    item = {"tenantId": {"S": "a"}}
    dynamodb.put_item(TableName="mine", Item=item)
    assert dynamodb.get_item(TableName="mine", Key=item)["Item"] == item
    assert refused(dynamodb.get_item, TableName="other", Key=item) == "AccessDeniedException"
    assert refused(dynamodb.delete_item, TableName="mine", Key=item) == "AccessDeniedException"
    write = [{"Put": {"TableName": name, "Item": item}} for name in ("mine", "other")]
    assert refused(dynamodb.transact_write_items, TransactItems=write) == "AccessDeniedException"
    assert "Item" not in operator(embedded, "dynamodb").get_item(TableName="other", Key=item)


def test_leading_keys_confine_a_caller_to_its_partition(embedded: LocalRegion) -> None:
    table(embedded, "shared")
    own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["own"]}}
    dynamodb = client(
        embedded, "dynamodb", *user(embedded, "tenant", allow("dynamodb:*Item", "*", Condition=own))
    )
    dynamodb.put_item(TableName="shared", Item={"tenantId": {"S": "own"}})
    theirs = {"tenantId": {"S": "theirs"}}
    assert refused(dynamodb.put_item, TableName="shared", Item=theirs) == "AccessDeniedException"


def test_objects_are_told_apart_by_prefix_and_a_bucket_policy_denies(embedded: LocalRegion) -> None:
    s3 = operator(embedded, "s3")
    s3.create_bucket(Bucket="artifacts")
    mine = client(
        embedded, "s3", *user(embedded, "uploader", allow("s3:PutObject", "arn:aws:s3:::artifacts/mine/*"))
    )
    mine.put_object(Bucket="artifacts", Key="mine/ü 1.log", Body=b"x")
    assert refused(mine.put_object, Bucket="artifacts", Key="yours/1.log", Body=b"x") == "AccessDenied"
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::artifacts/*",
    }
    s3.put_bucket_policy(Bucket="artifacts", Policy=document(deny))
    assert refused(mine.put_object, Bucket="artifacts", Key="mine/2.log", Body=b"x") == "AccessDenied"
    s3.delete_bucket_policy(Bucket="artifacts")


def test_a_presigned_url_is_good_for_its_key_only(embedded: LocalRegion) -> None:
    s3 = operator(embedded, "s3")
    s3.create_bucket(Bucket="presigned")
    url = s3.generate_presigned_url(
        "put_object", Params={"Bucket": "presigned", "Key": "one/output.log"}, ExpiresIn=60
    )
    assert httpx.put(url, content=b"log").status_code == 200
    assert httpx.put(url.replace("/one/", "/two/"), content=b"log").status_code == 403
    expired = s3.generate_presigned_url(
        "put_object", Params={"Bucket": "presigned", "Key": "one/output.log"}, ExpiresIn=-1
    )
    assert httpx.put(expired, content=b"log").status_code == 403


@pytest.mark.parametrize(
    ("service", "operation", "unknown", "wrong"),
    [
        ("dynamodb", "list_tables", "UnrecognizedClientException", "InvalidSignatureException"),
        ("ec2", "describe_vpcs", "AuthFailure", "SignatureDoesNotMatch"),
        ("sts", "get_caller_identity", "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("s3", "list_buckets", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        ("efs", "describe_file_systems", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    ],
)
def test_unknown_and_wrong_keys_are_refused(
    embedded: LocalRegion, service: str, operation: str, unknown: str, wrong: str
) -> None:
    nobody = client(embedded, service, "AKIAIOSFODNN7EXAMPLE", "x" * 40)
    assert refused(getattr(nobody, operation)) == unknown
    mistyped = client(embedded, service, operator_key(embedded), "x" * 40)
    assert refused(getattr(mistyped, operation)) == wrong
    assert getattr(operator(embedded, service), operation)()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_request_without_a_signature_is_refused(embedded: LocalRegion) -> None:
    answer = httpx.post(
        embedded.aws_url, headers={"X-Amz-Target": "DynamoDB_20120810.ListTables"}, content="{}"
    )
    assert answer.status_code == 403


def test_run_task_needs_pass_role_for_the_roles_of_the_task_definition(embedded: LocalRegion) -> None:
    ecs = operator(embedded, "ecs")
    ecs.create_cluster(clusterName="one")
    ecs.register_task_definition(
        family="job",
        executionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/execution",
        containerDefinitions=[{"name": "c", "image": "i", "memory": 128}],
    )
    run = allow("ecs:RunTask", f"arn:aws:ecs:us-east-1:{ACCOUNT}:task-definition/job:*")
    without = client(embedded, "ecs", *user(embedded, "runner", run))
    assert refused(without.run_task, cluster="one", taskDefinition="job") == "AccessDeniedException"
    with pytest.raises(ClientError, match="iam:PassRole"):
        without.run_task(cluster="one", taskDefinition="job")
    pass_role = allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/execution")
    able = client(embedded, "ecs", *user(embedded, "launcher", run, pass_role))
    with pytest.raises(ClientError) as error:  # past IAM: the request itself is incomplete
        able.run_task(cluster="one", taskDefinition="job", launchType="FARGATE")
    assert error.value.response["Error"]["Code"] != "AccessDeniedException"


def test_a_role_session_has_the_permissions_of_its_role_and_an_identity(embedded: LocalRegion) -> None:
    iam = operator(embedded, "iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="limited", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    given = operator(embedded, "sts").assume_role(RoleArn=role, RoleSessionName="task")["Credentials"]
    keys = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert client(embedded, "sts", *keys).get_caller_identity()["Arn"].endswith("assumed-role/limited/task")
    with pytest.raises(ClientError, match="no identity-based policy allows the sqs:ListQueues action"):
        client(embedded, "sqs", *keys).list_queues()
    iam.put_role_policy(
        RoleName="limited", PolicyName="later", PolicyDocument=document(allow("sqs:ListQueues", "*"))
    )
    assert "ResponseMetadata" in client(embedded, "sqs", *keys).list_queues()
    assert refused(client(embedded, "sqs", *keys[:2], "forged").list_queues) == "UnrecognizedClientException"
