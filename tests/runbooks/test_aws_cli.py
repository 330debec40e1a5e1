"""Lines of the AWS CLI: the real CLI reads back from each what the plan's own call sends."""

import re
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from awscli.clidriver import create_clidriver

from runbooks.remedies import REGISTERED, Call
from runbooks.report.aws_cli import names_registered, parts

ROOT = Path(__file__).parents[2]
PERMISSION = {
    "IpProtocol": "tcp",
    "FromPort": 2049,
    "ToPort": 2049,
    "UserIdGroupPairs": [{"GroupId": "sg-1"}],
}
RULE = {"GroupId": "sg-1", "IpPermissions": [PERMISSION]}
POLICY = '{"Statement": [{"Sid": "Reader\'s $HOME", "Effect": "Allow", "Action": "s3:*"}]}'
ROLE = {"RoleName": "outpost-worker", "PolicyName": "workspace"}
SERVICE = {"cluster": "outpost-dev", "service": "outpost-control-plane"}
SCALABLE = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/outpost-jobs-dev",
    "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
}
TRACKING = {
    "TargetValue": 70.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
}
CONTAINER = {
    "name": "app",
    "image": "app:1",
    "essential": True,
    "environment": [{"name": "GREETING", "value": 'it\'s "here"'}],
}
# One or more for every operation that a remedy's plan calls.
CALLS = [
    Call("application-autoscaling:RegisterScalableTarget", SCALABLE | {"MinCapacity": 1, "MaxCapacity": 10}),
    Call(
        "application-autoscaling:PutScalingPolicy",
        SCALABLE
        | {
            "PolicyName": "jobs-read",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": TRACKING,
        },
    ),
    Call("application-autoscaling:DeregisterScalableTarget", SCALABLE),
    Call("application-autoscaling:DeleteScalingPolicy", SCALABLE | {"PolicyName": "jobs-read"}),
    Call(
        "dynamodb:UpdateTable",
        {
            "TableName": "jobs",
            "BillingMode": "PROVISIONED",
            "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 9},
        },
    ),
    Call("dynamodb:UpdateTable", {"TableName": "jobs", "OnDemandThroughput": {"MaxReadRequestUnits": -1}}),
    Call("ec2:AuthorizeSecurityGroupIngress", RULE),
    Call("ec2:AuthorizeSecurityGroupEgress", RULE),
    Call("ec2:RevokeSecurityGroupIngress", RULE),
    Call("ec2:RevokeSecurityGroupEgress", RULE),
    Call(
        "ec2:CreateRoute",
        {"RouteTableId": "rtb-1", "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"},
    ),
    Call("ec2:DeleteRoute", {"RouteTableId": "rtb-1", "DestinationCidrBlock": "0.0.0.0/0"}),
    Call(
        "ec2:CreateVpcEndpoint",
        {
            "VpcId": "vpc-1",
            "ServiceName": "com.amazonaws.us-east-1.s3",
            "VpcEndpointType": "Gateway",
            "RouteTableIds": ["rtb-1", "rtb-2"],
        },
    ),
    Call("ec2:ModifyVpcEndpoint", {"VpcEndpointId": "vpce-1", "AddRouteTableIds": ["rtb-1"]}),
    Call("ec2:ModifyVpcEndpoint", {"VpcEndpointId": "vpce-1", "RemoveRouteTableIds": ["rtb-1"]}),
    Call("ecs:UpdateService", SERVICE | {"desiredCount": 0}),
    Call("ecs:UpdateService", SERVICE | {"taskDefinition": "arn:aws:ecs:us-east-1:1:task-definition/a:7"}),
    Call(
        "ecs:PutClusterCapacityProviders",
        {
            "cluster": "outpost-dev",
            "capacityProviders": [],
            "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
        },
    ),
    Call(
        "ecs:RegisterTaskDefinition",
        {
            "family": "app",
            "memory": "512",
            "enableFaultInjection": False,
            "containerDefinitions": [CONTAINER],
        },
    ),
    Call("ecs:DeregisterTaskDefinition", {"taskDefinition": "app:7"}),
    Call(
        "efs:CreateMountTarget",
        {"FileSystemId": "fs-12345678", "SubnetId": "subnet-12345678", "SecurityGroups": ["sg-12345678"]},
    ),
    Call("iam:PutRolePolicy", ROLE | {"PolicyDocument": POLICY}),
    Call("iam:DeleteRolePolicy", ROLE),
    Call("s3:PutBucketPolicy", {"Bucket": "outpost-artifacts", "Policy": POLICY}),
    Call("s3:DeleteBucketPolicy", {"Bucket": "outpost-artifacts"}),
    Call("secretsmanager:RestoreSecret", {"SecretId": "arn:aws:secretsmanager:us-east-1:1:secret:a"}),
    Call(
        "service-quotas:RequestServiceQuotaIncrease",
        {"ServiceCode": "fargate", "QuotaCode": "L-3032A538", "DesiredValue": 280.0},
    ),
]


@pytest.fixture(scope="module")
def driver() -> Any:
    """The CLI's own driver; what it would send is caught before a request is made."""
    made = create_clidriver()
    made.sent = []

    def catch(params: dict[str, Any], **_: Any) -> None:
        made.sent.append(dict(params))

    def answer(**_: Any) -> tuple[SimpleNamespace, dict[str, Any]]:
        return SimpleNamespace(status_code=200), {}

    made.session.register("before-parameter-build", catch)
    made.session.register("before-call", answer)
    return made


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.operation)
def test_the_aws_cli_sends_what_the_plan_calls(call: Call, driver: Any) -> None:
    words = shlex.split(" ".join(parts(call)))
    assert words[0] == "aws"
    driver.sent.clear()
    assert driver.main([*words[1:], "--region", "us-east-1"]) == 0
    assert driver.sent == [dict(call.parameters)]


def test_every_operation_of_a_remedy_is_tried() -> None:
    """Those that the remedies write out; the rest of a name may be made of the direction of a rule."""
    sources = [*(ROOT / "runbooks").glob("*.py"), *(ROOT / "runbooks/issues").glob("*.py")]
    named = {
        name
        for path in sources
        for name in re.findall(r'\bCall\(\s*f?"([a-z0-9-]+:\w+)', path.read_text(encoding="utf-8"))
    }
    assert len(named) > 15
    tried = {call.operation for call in CALLS}
    assert [name for name in named if not any(each.startswith(name) for each in tried)] == []


def test_what_a_plan_registers_is_handed_on_in_the_readers_shell(tmp_path: Path) -> None:
    """By a shell, with a CLI that says what it was given."""
    register = Call("ecs:RegisterTaskDefinition", {"family": "app"})
    move = Call("ecs:UpdateService", {"taskDefinition": REGISTERED})
    assert [names_registered(call) for call in (register, move)] == [False, True]
    stand_in = tmp_path / "aws"
    stand_in.write_text("#!/bin/sh\nprintf '%s,' \"$@\"\n", encoding="utf-8")
    stand_in.chmod(0o755)
    script = "\n".join([" ".join(parts(register, keep=True)), " ".join(parts(move))])
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    registered = (
        "ecs,register-task-definition,--family,app,--query,taskDefinition.taskDefinitionArn,--output,text,"
    )
    assert done.stdout == f"ecs,update-service,--task-definition,{registered},"
