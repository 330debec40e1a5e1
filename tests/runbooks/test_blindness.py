"""Blind in the region: the generated policy is enough and all of it is needed; faults of the API are told."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.testing import LocalRegion
from runbooks.aws import AwsReader, Connection
from runbooks.looking import CouldNotLook
from runbooks.model import Verdict
from runbooks.permissions import OPERATIONS
from runbooks.policy import read_only_policy
from runbooks.preflight import missing
from runbooks.run import Report, diagnose
from runbooks.target import Target
from tests.runbooks.faults.stack import RECENT, Stack

pytestmark = pytest.mark.region

READER, POLICY = "diagnose-reader", "diagnose"
# May read its own policies, so that the preflight can; a run needs none of it.
OWN = ["iam:ListUserPolicies", "iam:GetUserPolicy", "iam:ListAttachedUserPolicies", "iam:ListGroupsForUser"]


class Reader:
    """An IAM user who may do what the policy says, and nothing else."""

    def __init__(self, stack: Stack, directory: Path) -> None:
        self.stack = stack
        self.account = stack.client("sts").get_caller_identity()["Account"]
        iam = stack.client("iam")
        iam.create_user(UserName=READER)
        key = iam.create_access_key(UserName=READER)["AccessKey"]
        self._credentials = directory / "credentials"
        names = {"aws_access_key_id": "AccessKeyId", "aws_secret_access_key": "SecretAccessKey"}
        lines = [f"{name} = {key[member]}" for name, member in names.items()]
        self._credentials.write_text("\n".join(["[soc]", *lines, ""]))
        self._key = key["AccessKeyId"]
        self._connection: Connection | None = None

    def delete(self) -> None:
        iam = self.stack.client("iam")
        for name in iam.list_user_policies(UserName=READER)["PolicyNames"]:
            iam.delete_user_policy(UserName=READER, PolicyName=name)
        iam.delete_access_key(UserName=READER, AccessKeyId=self._key)
        iam.delete_user(UserName=READER)

    def may(self, *, but: str = "", own: bool = False) -> None:
        """Give the user the generated policy, without one action."""
        permissions = [p for p in OPERATIONS.values() if p is None or p.action != but]
        document = json.loads(
            read_only_policy(
                self.stack.names, region="us-east-1", account=self.account, permissions=permissions
            )
        )
        if own:
            document["Statement"].append({"Effect": "Allow", "Action": OWN, "Resource": "*"})
        self.stack.client("iam").put_user_policy(
            UserName=READER, PolicyName=POLICY, PolicyDocument=json.dumps(document)
        )

    @property
    def environment(self) -> dict[str, str]:
        return self.stack.environment | {"AWS_SHARED_CREDENTIALS_FILE": str(self._credentials)}

    def connection(self, **more: Any) -> Connection:
        return Connection(Target.from_environment(environment=self.environment, since=RECENT), **more)

    def diagnose(self) -> Report:
        if self._connection is None:  # its clients cost more than a run does
            self._connection = self.connection()
        return diagnose(self._connection.target.at_present(), AwsReader(self._connection))


@pytest.fixture(scope="module")
def stack(region: LocalRegion) -> Stack:
    made = Stack(region)
    made.steady()
    return made


@pytest.fixture(scope="module")
def reader(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    made = Reader(stack, tmp_path_factory.mktemp("reader"))
    yield made
    made.delete()


@pytest.fixture
def faults(stack: Stack) -> Iterator[Stack]:
    yield stack
    stack.region.fault("clear")


def _unknown(report: Report) -> str:
    return " ".join(f.judgement.summary for f in report.findings if f.verdict is Verdict.UNKNOWN)


def test_the_generated_policy_is_enough(reader: Reader) -> None:
    reader.may()
    report = reader.diagnose()
    assert [(f.cause.key, f.judgement.summary) for f in report.findings] == []


def test_every_action_that_a_healthy_run_uses_is_needed(reader: Reader) -> None:
    """Without it, causes are unknown, the permission is named, and the run does not say healthy."""
    reader.may()
    used = [operation for operation in reader.diagnose().calls if OPERATIONS.get(operation)]
    assert len(used) > 20
    for operation in used:
        permission = OPERATIONS[operation]
        assert permission is not None
        reader.may(but=permission.action)
        report = reader.diagnose()
        assert report.exit_code == 5, operation
        assert permission.action in _unknown(report), operation


def test_the_preflight_names_what_is_missing(reader: Reader) -> None:
    connection = reader.connection()
    reader.may(own=True)
    assert missing(connection.call, connection.target.names, region="us-east-1") == []
    reader.may(but="ecs:DescribeTasks", own=True)
    lacking = missing(connection.call, connection.target.names, region="us-east-1")
    assert lacking == ["ecs:DescribeTasks (for ecs:DescribeTasks)"]
    reader.may()
    with pytest.raises(CouldNotLook, match="iam:ListUserPolicies"):
        missing(connection.call, connection.target.names, region="us-east-1")


def test_whoever_may_nothing_can_print_what_to_ask_for(reader: Reader) -> None:
    """As a report says it: without arguments."""
    command = [sys.executable, "-m", "invoke", "runbooks.policy"]
    done = subprocess.run(
        command, env=reader.environment, capture_output=True, text=True, timeout=60, check=True
    )
    resources = [each for s in json.loads(done.stdout)["Statement"] for each in s["Resource"]]
    assert f"arn:aws:dynamodb:us-east-1:{reader.account}:table/outpost-jobs-dev" in resources


def test_nothing_can_be_changed_with_it(reader: Reader) -> None:
    reader.may()
    with pytest.raises(CouldNotLook) as caught:
        reader.connection().call(
            "ecs:UpdateService",
            {"cluster": reader.stack.names.cluster, "service": "outpost-control-plane", "desiredCount": 0},
        )
    assert caught.value.reason == "denied"


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("ecs", "DescribeServices"),
        ("dynamodb", "Scan"),
        ("ec2", "DescribeSubnets"),
        ("logs", "FilterLogEvents"),
    ],
)
def test_throttled_until_the_end_is_unknown(faults: Stack, service: str, operation: str) -> None:
    faults.region.fault("api", kind="throttle", service=service, operation=operation, callers="operator")
    report = faults.diagnose()
    assert report.exit_code == 5
    assert f"{service}:{operation} throttled" in _unknown(report)


def test_too_slow_is_unknown(faults: Stack) -> None:
    faults.region.fault(
        "api",
        kind="delay",
        seconds=1.5,
        service="elbv2",
        operation="DescribeTargetGroups",
        callers="operator",
    )
    target = Target.from_environment(environment=faults.environment, since=RECENT)
    report = diagnose(target, AwsReader(Connection(target, read_timeout=0.3)), issue="health-check-failing")
    assert report.exit_code == 5
    assert "elbv2:DescribeTargetGroups timed out" in _unknown(report)
