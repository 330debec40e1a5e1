"""Each role may do what its part needs and nothing of another's, as IAM decides it (outpost/policy.py)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from outpost import policy
from tests.infra.recording import Program

ACCOUNT, REGION = "123456789012", "us-east-1"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/outpost-dev"
OTHER_CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/other"
TASK = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/outpost-dev/0a1b"
OTHER_TASK = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/other/0a1b"
IN_CLUSTER = {"ecs:cluster": CLUSTER}
TO_TASKS = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
# ARNs of resources that belong to somebody else.
OTHER = {
    "table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:Table/customers",
    "bucket": "arn:aws:s3:us-east-1:123456789012:Bucket/invoices",
    "queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:Queue/billing",
    "secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:Secret/billing/key",
    "role": f"arn:aws:iam::{ACCOUNT}:role/admin",
    "logs": f"arn:aws:logs:{REGION}:{ACCOUNT}:LogGroup//ecs/billing",
}


@dataclass(frozen=True)
class Case:
    """A request of a role; `resource` may name a resource of the program as {type:name}."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} {self.resource} {dict(self.context) or ''}"


ARTIFACTS = "{s3/bucket:Bucket artifacts}"
JOBS = "{dynamodb/table:Table tables-jobs}"
LAUNCH = "{sqs/queue:Queue queues-launch}"
EVENTS = "{sqs/queue:Queue queues-events}"
GITHUB = "{secretsmanager/secret:Secret vault-github}"
ANTHROPIC = "{secretsmanager/secret:Secret vault-anthropic}"
OPENAI = "{secretsmanager/secret:Secret vault-openai}"
TOKEN_KEY = "{secretsmanager/secret:Secret vault-worker-token-key}"
CLAUDE_EXECUTION = "{iam/role:Role agent-claude-execution}"
CLAUDE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/outpost-claude:7"
CONTROL_PLANE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/outpost-control-plane:7"

CONTROL_PLANE_MAY = [
    *(Case(f"dynamodb:{verb}", JOBS) for verb in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")),
    Case("dynamodb:Query", f"{JOBS}/index/deadline-index"),
    Case("s3:PutObject", f"{ARTIFACTS}/01ABC/output.log"),
    Case("s3:GetObject", f"{ARTIFACTS}/01ABC/output.log"),
    Case("s3:ListBucket", ARTIFACTS),
    Case("sqs:SendMessage", LAUNCH),
    Case("sqs:ReceiveMessage", LAUNCH),
    Case("sqs:DeleteMessage", EVENTS),
    Case("ecs:RunTask", CLAUDE, IN_CLUSTER),
    Case("ecs:StopTask", TASK, IN_CLUSTER),
    Case("ecs:DescribeTasks", TASK, IN_CLUSTER),
    Case("ecs:TagResource", TASK, {"ecs:CreateAction": "RunTask"}),
    Case("ecs:ListTasks", "*", IN_CLUSTER),
    Case("iam:PassRole", CLAUDE_EXECUTION, TO_TASKS),
    Case("secretsmanager:DescribeSecret", ANTHROPIC),
    Case("secretsmanager:GetSecretValue", GITHUB),
    Case("logs:GetLogEvents", "{cloudwatch/logGroup:LogGroup agent-claude}:log-stream:worker/worker/0a1b"),
]
CONTROL_PLANE_MAY_NOT = [
    Case("dynamodb:GetItem", OTHER["table"]),
    Case("dynamodb:Scan", JOBS),
    Case("dynamodb:DeleteTable", JOBS),
    Case("dynamodb:UpdateTable", JOBS),
    Case("s3:GetObject", f"{OTHER['bucket']}/a"),
    Case("s3:DeleteObject", f"{ARTIFACTS}/01ABC/output.log"),
    Case("s3:PutBucketPolicy", ARTIFACTS),
    Case("sqs:SendMessage", OTHER["queue"]),
    Case("sqs:SendMessage", EVENTS),
    Case("sqs:PurgeQueue", LAUNCH),
    Case("ecs:RunTask", CLAUDE, {"ecs:cluster": OTHER_CLUSTER}),
    Case("ecs:RunTask", CONTROL_PLANE, IN_CLUSTER),
    Case("ecs:RunTask", f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/billing:1", IN_CLUSTER),
    Case("ecs:StopTask", OTHER_TASK, {"ecs:cluster": OTHER_CLUSTER}),
    Case("ecs:ListTasks", "*", {"ecs:cluster": OTHER_CLUSTER}),
    Case("ecs:TagResource", TASK),
    Case("ecs:RegisterTaskDefinition", "*"),
    Case("ecs:UpdateService", f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/outpost-dev/outpost-control-plane"),
    Case("iam:PassRole", OTHER["role"], TO_TASKS),
    Case("iam:PassRole", "{iam/role:Role control-plane-task}", TO_TASKS),
    Case("iam:PassRole", CLAUDE_EXECUTION, {"iam:PassedToService": "ec2.amazonaws.com"}),
    Case("secretsmanager:GetSecretValue", ANTHROPIC),
    Case("secretsmanager:GetSecretValue", TOKEN_KEY),
    Case("secretsmanager:GetSecretValue", OTHER["secret"]),
    Case("secretsmanager:PutSecretValue", GITHUB),
    Case("logs:GetLogEvents", f"{OTHER['logs']}:log-stream:a"),
    Case("logs:DeleteLogGroup", "{cloudwatch/logGroup:LogGroup agent-claude}:*"),
    Case("kms:Decrypt", "{kms/key:Key key}"),
]
EXECUTION_MAY = [
    Case("ecr:GetAuthorizationToken", "*"),
    Case("ecr:BatchGetImage", "{ecr/repository:Repository outpost-claude}"),
    Case("secretsmanager:GetSecretValue", ANTHROPIC),
    Case("logs:PutLogEvents", "{cloudwatch/logGroup:LogGroup agent-claude}:log-stream:worker/worker/0a1b"),
]
EXECUTION_MAY_NOT = [
    Case("ecr:BatchGetImage", "{ecr/repository:Repository outpost-codex}"),
    Case("ecr:PutImage", "{ecr/repository:Repository outpost-claude}"),
    Case("secretsmanager:GetSecretValue", OPENAI),
    Case("secretsmanager:GetSecretValue", GITHUB),
    Case("secretsmanager:GetSecretValue", TOKEN_KEY),
    Case("logs:PutLogEvents", "{cloudwatch/logGroup:LogGroup agent-codex}:log-stream:worker/worker/0a1b"),
    Case("logs:PutLogEvents", "{cloudwatch/logGroup:LogGroup control-plane}:log-stream:a"),
    Case("s3:GetObject", f"{ARTIFACTS}/01ABC/output.log"),
    Case("dynamodb:GetItem", JOBS),
]
VIA_MOUNT_TARGET = {"elasticfilesystem:AccessedViaMountTarget": "true", "aws:SecureTransport": "true"}
FILE_SYSTEM = "{efs/fileSystem:FileSystem workspaces}"
POINT = "elasticfilesystem:AccessPointArn"


@pytest.fixture(scope="module")
def shared() -> Program:
    """A stack with two tenants in persistent mode."""
    return Program("dev", persistentTenants=["acme", "umbrella"])


def decide(program: Program, role: str, case: Case, *more: tuple[policy.Statement, ...]) -> bool:
    """Whether the role may: by its inline policies and, if there are more, the resource's."""
    role_name = program.of("iam/role:Role")[role].inputs["name"]
    own = [
        policy.parse(found.inputs["policy"], name)
        for name, found in program.of("iam/rolePolicy:RolePolicy").items()
        if found.inputs["role"] == role_name
    ]
    assert own
    request = policy.Request(
        action=case.action, resource=resolve(program, case.resource), context=case.context
    )
    return policy.evaluate([*own, *more], request).allowed


def resolve(program: Program, text: str) -> str:
    """A text with {type name} replaced by that resource's ARN."""
    if not text.startswith("{"):
        return text
    reference, _, rest = text[1:].partition("}")
    token, _, name = reference.partition(" ")
    return program.of(token)[name].arn + rest


@pytest.mark.parametrize("case", CONTROL_PLANE_MAY, ids=str)
def test_the_control_plane_may_do_its_work(dev: Program, case: Case) -> None:
    assert decide(dev, "control-plane-task", case)


@pytest.mark.parametrize("case", CONTROL_PLANE_MAY_NOT, ids=str)
def test_the_control_plane_may_do_nothing_else(dev: Program, case: Case) -> None:
    assert not decide(dev, "control-plane-task", case)


@pytest.mark.parametrize("case", EXECUTION_MAY, ids=str)
def test_ecs_may_start_an_agent(dev: Program, case: Case) -> None:
    assert decide(dev, "agent-claude-execution", case)


@pytest.mark.parametrize("case", EXECUTION_MAY_NOT, ids=str)
def test_ecs_may_start_that_agent_only(dev: Program, case: Case) -> None:
    assert not decide(dev, "agent-claude-execution", case)


@pytest.mark.parametrize(
    ("tenant", "point", "allowed"),
    [
        ("acme", "acme", True),
        ("umbrella", "umbrella", True),
        ("acme", "umbrella", False),
        ("acme", None, False),
    ],
)
@pytest.mark.parametrize("action", ["ClientMount", "ClientWrite"])
def test_a_tenant_mounts_its_own_workspace_only(
    shared: Program, action: str, tenant: str, point: str | None, allowed: bool
) -> None:
    """Also with an NFS client of its own: the file system's policy decides with the role's."""
    context = dict(VIA_MOUNT_TARGET)
    if point:
        context[POINT] = shared.of("efs/accessPoint:AccessPoint")[f"workspaces-{point}"].arn
    (of_file_system,) = shared.of("efs/fileSystemPolicy:FileSystemPolicy").values()
    resource_policy = policy.parse(of_file_system.inputs["policy"], "file system")
    case = Case(f"elasticfilesystem:{action}", FILE_SYSTEM, context)
    assert decide(shared, f"workspaces-{tenant}", case, resource_policy) is allowed


def test_a_tenant_is_never_root(shared: Program) -> None:
    context = {
        **VIA_MOUNT_TARGET,
        POINT: shared.of("efs/accessPoint:AccessPoint")["workspaces-acme"].arn,
    }
    case = Case("elasticfilesystem:ClientRootAccess", FILE_SYSTEM, context)
    assert not decide(shared, "workspaces-acme", case)


def test_without_tenants_nobody_mounts_the_file_system(dev: Program) -> None:
    """Not even an administrator, whose own policies allow everything."""
    (of_file_system,) = dev.of("efs/fileSystemPolicy:FileSystemPolicy").values()
    administrator = policy.parse({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    request = policy.Request(
        action="elasticfilesystem:ClientMount",
        resource=resolve(dev, FILE_SYSTEM),
        context=VIA_MOUNT_TARGET,
    )
    decision = policy.evaluate([administrator, policy.parse(of_file_system.inputs["policy"])], request)
    assert decision.verdict is policy.Verdict.EXPLICIT_DENY


def test_the_control_plane_may_run_a_tenants_family(shared: Program) -> None:
    definition = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/outpost-claude-acme:1"
    assert decide(shared, "control-plane-task", Case("ecs:RunTask", definition, IN_CLUSTER))
    role = Case("iam:PassRole", "{iam/role:Role workspaces-acme}", TO_TASKS)
    assert decide(shared, "control-plane-task", role)
