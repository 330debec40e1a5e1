"""What each deployed role may do is a short list; every other action of AWS's API is refused.

The policies are read from the region as they were deployed. Each is asked about every operation of the
services there are, on every resource of the stack and on a stranger's, with every condition in its favour:
what is allowed then is all that the role could ever do.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import pytest

from local.testing import LocalRegion
from outpost.agents import Agent
from outpost.names import TASK_ROLE, WORKER_TOKEN_SECRET, Names, agent_secret, family, log_group
from outpost.policy import Request, Statement, evaluate, parse

pytestmark = pytest.mark.region

NAMES = Names("dev")
ACCOUNT = "us-east-1:123456789012"
CLUSTER = f"arn:aws:ecs:{ACCOUNT}:cluster/{NAMES.cluster}"
# IAM's prefix -> boto3's names of the services that use it.
SERVICES = {
    "application-autoscaling": ["application-autoscaling"],
    "cloudformation": ["cloudformation"],
    "cloudwatch": ["cloudwatch"],
    "dynamodb": ["dynamodb", "dynamodbstreams"],
    "ec2": ["ec2"],
    "ecr": ["ecr"],
    "ecs": ["ecs"],
    "elasticfilesystem": ["efs"],
    "elasticloadbalancing": ["elbv2"],
    "events": ["events"],
    "iam": ["iam"],
    "kms": ["kms"],
    "lambda": ["lambda"],
    "logs": ["logs"],
    "s3": ["s3", "s3control"],
    "secretsmanager": ["secretsmanager"],
    "servicediscovery": ["servicediscovery"],
    "sns": ["sns"],
    "sqs": ["sqs"],
    "ssm": ["ssm"],
    "sts": ["sts"],
}
# Permissions that are not the name of an operation.
OTHER_ACTIONS = {
    "dynamodb": ["ConditionCheckItem", "PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"],
    "elasticfilesystem": ["ClientMount", "ClientWrite", "ClientRootAccess"],
    "iam": ["PassRole"],
    "s3": ["ListBucket", "ListBucketVersions", "GetObjectVersion", "BypassGovernanceRetention"],
}
IN_FAVOUR = {
    "aws:SecureTransport": "true",
    "ecs:cluster": CLUSTER,
    "ecs:CreateAction": "RunTask",
    "iam:PassedToService": "ecs-tasks.amazonaws.com",
    "kms:ViaService": "dynamodb.us-east-1.amazonaws.com",
}
Pair = tuple[str, str]


@cache
def actions(prefix: str) -> list[str]:
    session = botocore.session.get_session()
    names = {
        operation
        for name in SERVICES[prefix]
        for operation in session.get_service_model(name).operation_names
    }
    return sorted(f"{prefix}:{name}" for name in {*names, *OTHER_ACTIONS.get(prefix, [])})


@pytest.fixture(scope="module")
def resources(region: LocalRegion) -> dict[str, list[str]]:
    """IAM's prefix -> ARNs: the stack's, things inside of them, and a stranger's."""
    state = json.loads((region.paths.directory / "stack.json").read_text())
    found: dict[str, set[str]] = {prefix: {"*"} for prefix in SERVICES}
    for each in state["resources"]:
        arn = each["outputs"].get("arn") or ""
        if arn.startswith("arn:"):
            prefix = arn.split(":")[2]
            found.setdefault(prefix, set()).update(_inside(prefix, arn))
    strangers = {
        "dynamodb": "table/billing",
        "ecr": "repository/billing",
        "ecs": "task-definition/billing:1",
        "events": "rule/billing",
        "kms": "key/billing",
        "logs": "log-group:/ecs/billing:log-stream:a",
        "secretsmanager": "secret:billing/key-abcdef",
        "sns": "billing",
        "sqs": "billing",
    }
    for prefix, name in strangers.items():
        found[prefix].add(f"arn:aws:{prefix}:{ACCOUNT}:{name}")
    found["ecs"] |= {
        f"arn:aws:ecs:{ACCOUNT}:task/{NAMES.cluster}/0a1b",
        f"arn:aws:ecs:{ACCOUNT}:task/billing/0a1b",
        f"arn:aws:ecs:{ACCOUNT}:service/billing/outpost-control-plane",
    }
    found["s3"] |= {"arn:aws:s3:::billing", "arn:aws:s3:::billing/a"}
    found["iam"] |= {"arn:aws:iam::123456789012:role/admin", "arn:aws:iam::123456789012:user/operator"}
    return {prefix: sorted(arns) for prefix, arns in found.items()}


def _inside(prefix: str, arn: str) -> Iterator[str]:
    yield arn
    if prefix == "dynamodb":
        yield f"{arn}/index/any"
    elif prefix == "s3":
        yield f"{arn}/01ABC/output.log"
    elif prefix == "logs":
        yield f"{arn}:log-stream:worker/worker/0a1b"


def policies(region: LocalRegion, role: str) -> list[tuple[Statement, ...]]:
    iam: Any = region.client("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    assert names, f"{role} has no policies"
    found = {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}
    return [parse(document, name) for name, document in found.items()]


def allowed(region: LocalRegion, resources: dict[str, list[str]], role: str) -> set[Pair]:
    statements = policies(region, role)
    requests = (
        Request(action=action, resource=arn, context=IN_FAVOUR)
        for prefix in SERVICES
        for action in actions(prefix)
        for arn in resources[prefix]
    )
    return {(each.action, each.resource) for each in requests if evaluate(statements, each).allowed}


def arn_of(region: LocalRegion, secret: str) -> str:
    return str(region.client("secretsmanager").describe_secret(SecretId=secret)["ARN"])


def group(name: str) -> str:
    return f"arn:aws:logs:{ACCOUNT}:log-group:{name}:log-stream:worker/worker/0a1b"


def revisions(region: LocalRegion, agent: Agent) -> str:
    described = region.client("ecs").describe_task_definition(taskDefinition=family(agent))
    return str(described["taskDefinition"]["taskDefinitionArn"])


def test_the_control_plane_can_do_this_and_nothing_else(
    region: LocalRegion, resources: dict[str, list[str]]
) -> None:
    tables = (NAMES.jobs_table, NAMES.api_keys_table, NAMES.audit_table, NAMES.workspaces_table)
    table_arns = [f"arn:aws:dynamodb:{ACCOUNT}:table/{table}" for table in tables]
    bucket = f"arn:aws:s3:::{NAMES.artifacts_bucket}"
    launch, events = (f"arn:aws:sqs:{ACCOUNT}:{queue}" for queue in (NAMES.launch_queue, NAMES.events_queue))
    task = f"arn:aws:ecs:{ACCOUNT}:task/{NAMES.cluster}/0a1b"
    secrets = [arn_of(region, agent_secret(agent)) for agent in Agent]
    github = arn_of(region, "outpost/github")
    item = ("BatchGetItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
    take = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
    expected = {
        *(
            (f"dynamodb:{name}", arn)
            for name in item
            for table in table_arns
            for arn in (table, f"{table}/index/any")
        ),
        ("dynamodb:BatchWriteItem", f"arn:aws:dynamodb:{ACCOUNT}:table/{NAMES.audit_table}"),
        *((f"s3:{name}Object", f"{bucket}/01ABC/output.log") for name in ("Get", "Put")),
        ("s3:ListBucket", bucket),
        ("sqs:SendMessage", launch),
        *((f"sqs:{name}", queue) for name in take for queue in (launch, events)),
        *(("ecs:RunTask", revisions(region, agent)) for agent in Agent),
        *((f"ecs:{name}", task) for name in ("DescribeTasks", "StopTask", "TagResource")),
        ("ecs:DescribeServices", f"arn:aws:ecs:{ACCOUNT}:service/{NAMES.cluster}/outpost-control-plane"),
        ("ecs:ListTasks", "*"),
        ("ecs:DescribeTaskDefinition", "*"),
        *(("iam:PassRole", f"arn:aws:iam::123456789012:role/outpost-dev-{a}-execution") for a in Agent),
        *(
            (f"logs:{name}", group(log_group(a)))
            for name in ("FilterLogEvents", "GetLogEvents")
            for a in Agent
        ),
        *(("secretsmanager:DescribeSecret", secret) for secret in (*secrets, github)),
        ("secretsmanager:GetSecretValue", github),
    }
    found = allowed(region, resources, TASK_ROLE)
    # A statement on `*` speaks of every ARN, too; the actions there have no resource level.
    anywhere = {name for name, arn in expected if arn == "*"}
    found = {(name, "*" if name in anywhere else arn) for name, arn in found}
    assert found - expected == set()
    assert expected - found == set()


@pytest.mark.parametrize("agent", Agent)
def test_an_execution_role_can_start_its_agent_and_nothing_else(
    region: LocalRegion, resources: dict[str, list[str]], agent: Agent
) -> None:
    repository = f"arn:aws:ecr:{ACCOUNT}:repository/{family(agent)}"
    pull = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
    expected = {
        ("ecr:GetAuthorizationToken", "*"),
        *((f"ecr:{name}", repository) for name in pull),
        *((f"logs:{name}", group(log_group(agent))) for name in ("CreateLogStream", "PutLogEvents")),
        ("secretsmanager:GetSecretValue", arn_of(region, agent_secret(agent))),
    }
    found = allowed(region, resources, f"outpost-dev-{agent}-execution")
    found = {(name, "*" if name == "ecr:GetAuthorizationToken" else arn) for name, arn in found}
    assert found == expected


def test_only_ecs_reads_the_worker_token_key(region: LocalRegion) -> None:
    """The key with which tokens are made reaches the control plane's container, and no one else."""
    key = arn_of(region, WORKER_TOKEN_SECRET)
    roles = [TASK_ROLE, "outpost-dev-control-plane-execution"]
    roles += [f"outpost-dev-{agent}-execution" for agent in Agent]
    request = Request(action="secretsmanager:GetSecretValue", resource=key, context=IN_FAVOUR)
    may = [role for role in roles if evaluate(policies(region, role), request).allowed]
    assert may == ["outpost-dev-control-plane-execution"]


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("ecs:RunTask", "task-definition/outpost-claude:1", {"ecs:cluster": CLUSTER.replace("dev", "prod")}),
        ("ecs:StopTask", f"task/{NAMES.cluster}/0a1b", {}),
        ("ecs:ListTasks", "", {"ecs:cluster": CLUSTER.replace("dev", "prod")}),
        ("ecs:TagResource", f"task/{NAMES.cluster}/0a1b", {"ecs:cluster": CLUSTER}),
        ("ecs:TagResource", f"task/{NAMES.cluster}/0a1b", {"ecs:CreateAction": "CreateService"}),
    ],
)
def test_the_conditions_matter(
    region: LocalRegion, action: str, resource: str, context: dict[str, str]
) -> None:
    arn = f"arn:aws:ecs:{ACCOUNT}:{resource}" if resource else "*"
    request = Request(action=action, resource=arn, context=context)
    assert not evaluate(policies(region, TASK_ROLE), request).allowed
    assert evaluate(
        policies(region, TASK_ROLE), Request(action=action, resource=arn, context=IN_FAVOUR)
    ).allowed


def test_the_sweep_sees_what_it_looks_for(resources: dict[str, list[str]]) -> None:
    """An administrator is allowed all of it, so an empty answer above is the policies' doing."""
    administrator = [parse({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})]
    asked = [(action, arn) for prefix in SERVICES for action in actions(prefix) for arn in resources[prefix]]
    assert len(asked) > 5000
    sample = asked[:: len(asked) // 100]
    assert all(evaluate(administrator, Request(action=a, resource=arn)).allowed for a, arn in sample)
