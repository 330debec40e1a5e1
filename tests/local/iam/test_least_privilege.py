"""The roles of the deployed stack, at work in the region: what they must do passes, all else is refused.

Each caller is a user with a deployed role's own policies, because only ECS may assume the role itself; IAM
decides about both alike. A call that IAM admits may still fail for another reason (a task that is not
there); a call that it refuses says so, and names the action.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.testing import LocalRegion
from outpost.agents import AGENTS, Agent
from outpost.names import TASK_ROLE, family
from tests.local.iam.privileges import (
    CONTROL_PLANE_MAY,
    CONTROL_PLANE_MAY_NOT,
    EXECUTION,
    NAMES,
    Case,
    execution_may,
    execution_may_not,
)

pytestmark = pytest.mark.region

DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
CONFIG = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=30)
Try = Callable[[str, Case], str]


@pytest.fixture(scope="module")
def attempt(region: LocalRegion) -> Iterator[Try]:
    """Make a call with a role's policies; answers IAM's refusal, or nothing when IAM admitted it."""
    callers: dict[str, boto3.Session] = {}
    clients: dict[tuple[str, str], Any] = {}
    queues = region.client("sqs")

    def call(role: str, case: Case) -> str:
        service, operation = case.call.split(".")
        if role not in callers:
            callers[role] = _caller(region, role)
        if (role, service) not in clients:
            make: Any = callers[role].client
            clients[role, service] = make(service, endpoint_url=region.aws_url, config=CONFIG)
        parameters = {key: _queue(queues, value) for key, value in case.parameters.items()}
        try:
            getattr(clients[role, service], operation)(**parameters)
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            assert "Signature" not in code
            return f"{code}: {message}" if code in DENIED else ""
        return ""

    yield call
    for role in callers:
        _forget(region, role)


def _caller(region: LocalRegion, role: str) -> boto3.Session:
    """A user with the role's policies."""
    iam = region.client("iam")
    name = f"as-{role}"
    iam.create_user(UserName=name)
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        found = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        iam.put_user_policy(UserName=name, PolicyName=policy, PolicyDocument=json.dumps(found))
    assert not iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")


def _forget(region: LocalRegion, role: str) -> None:
    iam = region.client("iam")
    name = f"as-{role}"
    for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
        iam.delete_user_policy(UserName=name, PolicyName=policy)
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)


def _queue(sqs: Any, value: Any) -> Any:
    if isinstance(value, str) and value.startswith("{queue "):
        return sqs.get_queue_url(QueueName=value[len("{queue ") : -1])["QueueUrl"]
    return value


@pytest.mark.parametrize("case", CONTROL_PLANE_MAY, ids=str)
def test_the_control_plane_does_its_work(attempt: Try, case: Case) -> None:
    assert attempt(TASK_ROLE, case) == ""


@pytest.mark.parametrize("case", CONTROL_PLANE_MAY_NOT, ids=str)
def test_the_control_plane_is_refused_all_else(attempt: Try, case: Case) -> None:
    assert "is not authorized to perform" in attempt(TASK_ROLE, case)


@pytest.mark.parametrize("agent", Agent)
def test_an_execution_role_starts_its_own_agent(attempt: Try, agent: Agent) -> None:
    refused = {str(case): attempt(EXECUTION[agent], case) for case in execution_may(agent)}
    assert {case: why for case, why in refused.items() if why} == {}


@pytest.mark.parametrize("agent", Agent)
def test_an_execution_role_is_refused_what_is_not_its_agents(attempt: Try, agent: Agent) -> None:
    shared = [other for other in Agent if AGENTS[other].provider == AGENTS[agent].provider]
    assert shared == [agent]  # each agent has a secret of its own to be kept from
    admitted = [str(case) for case in execution_may_not(agent) if not attempt(EXECUTION[agent], case)]
    assert admitted == []


def test_a_refusal_names_the_caller_the_action_and_the_resource(attempt: Try) -> None:
    refusal = attempt(TASK_ROLE, Case("dynamodb.scan", {"TableName": NAMES.jobs_table}))
    table = f"arn:aws:dynamodb:us-east-1:123456789012:table/{NAMES.jobs_table}"
    assert refusal == (
        f"AccessDeniedException: User: arn:aws:iam::123456789012:user/as-{TASK_ROLE} is not authorized to "
        f"perform: dynamodb:Scan on resource: {table} because no identity-based policy allows the "
        "dynamodb:Scan action"
    )


@pytest.mark.parametrize("agent", Agent)
def test_a_worker_has_no_role_at_all(region: LocalRegion, agent: Agent) -> None:
    definition = region.client("ecs").describe_task_definition(taskDefinition=family(agent))["taskDefinition"]
    assert "taskRoleArn" not in definition
    assert definition["executionRoleArn"].endswith(EXECUTION[agent])
