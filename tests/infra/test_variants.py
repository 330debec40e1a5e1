"""What settings change: HTTPS, provisioned tables, keys, NAT, the deployment's roles."""

from typing import Any

import pytest

from tests.infra.recording import Program

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b"
HTTPS: dict[str, Any] = {
    "domainName": "api.example.com",
    "certificateArn": CERTIFICATE,
    "hostedZoneId": "Z123",
}


def test_with_a_certificate_http_only_redirects() -> None:
    listeners = Program("dev", **HTTPS).of("lb/listener:Listener")
    (redirect,) = listeners["load-balancer-http"].inputs["defaultActions"]
    assert (redirect["type"], redirect["redirect"]["statusCode"]) == ("redirect", "HTTP_301")
    https = listeners["load-balancer-https"].inputs
    assert (https["certificateArn"], https["defaultActions"][0]["type"]) == (CERTIFICATE, "forward")
    assert "TLS13" in https["sslPolicy"]


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (HTTPS, "https://api.example.com"),
        ({}, "http://outpost-control-plane-dev.us-east-1.elb.amazonaws.com"),
    ],
)
def test_the_control_plane_is_told_where_clients_find_it(settings: dict[str, Any], url: str) -> None:
    definition = Program("dev", **settings).of("ecs/taskDefinition:TaskDefinition")["outpost-control-plane"]
    (container,) = definition.document("containerDefinitions")
    assert {"name": "PUBLIC_URL", "value": url} in container["environment"]


def test_a_hosted_zone_points_the_domain_at_the_load_balancer() -> None:
    (record,) = Program("dev", **HTTPS).of("route53/record:Record").values()
    assert record.inputs["name"] == "api.example.com"


@pytest.mark.parametrize(("choice", "gateways"), [("one", 1), ("per-zone", 2)])
def test_nat_gateways_are_one_or_one_in_each_zone(choice: str, gateways: int) -> None:
    assert len(Program("dev", natGateways=choice).of("ec2/natGateway:NatGateway")) == gateways


def test_provisioned_tables_scale_with_each_of_their_indexes() -> None:
    program = Program("dev", tableCapacity="provisioned", tableCapacityMinimum=2, tableCapacityMaximum=20)
    assert {t.inputs["billingMode"] for t in program.of("dynamodb/table:Table").values()} == {"PROVISIONED"}
    targets = [
        found.inputs
        for found in program.of("appautoscaling/target:Target").values()
        if found.inputs["serviceNamespace"] == "dynamodb"
    ]
    assert {(t["minCapacity"], t["maxCapacity"]) for t in targets} == {(2, 20)}
    jobs = {
        (t["resourceId"], t["scalableDimension"]) for t in targets if "outpost-jobs-dev" in t["resourceId"]
    }
    assert jobs == {
        ("table/outpost-jobs-dev", "dynamodb:table:ReadCapacityUnits"),
        ("table/outpost-jobs-dev", "dynamodb:table:WriteCapacityUnits"),
        ("table/outpost-jobs-dev/index/deadline-index", "dynamodb:index:ReadCapacityUnits"),
        ("table/outpost-jobs-dev/index/deadline-index", "dynamodb:index:WriteCapacityUnits"),
    }


def test_a_key_of_the_stacks_own_encrypts_everything_that_holds_data() -> None:
    program = Program("dev", customerManagedKey=True)
    for token, key in (
        ("dynamodb/table:Table", "serverSideEncryption"),
        ("sqs/queue:Queue", "kmsMasterKeyId"),
        ("cloudwatch/logGroup:LogGroup", "kmsKeyId"),
        ("secretsmanager/secret:Secret", "kmsKeyId"),
        ("efs/fileSystem:FileSystem", "kmsKeyId"),
        ("ecr/repository:Repository", "encryptionConfigurations"),
    ):
        for name, found in program.of(token).items():
            assert ":kms:" in str(found.inputs.get(key)), name


def test_production_is_protected_and_spread_over_three_zones() -> None:
    program = Program("prod")
    assert len(program.of("efs/mountTarget:MountTarget")) == 3
    assert len(program.of("ec2/natGateway:NatGateway")) == 3
    assert all(t.inputs["deletionProtectionEnabled"] for t in program.of("dynamodb/table:Table").values())
    (balancer,) = program.of("lb/loadBalancer:LoadBalancer").values()
    assert balancer.inputs["enableDeletionProtection"] is True
    assert balancer.inputs["accessLogs"]["enabled"] is True
    assert len(program.of("ec2/flowLog:FlowLog")) == 1


def test_only_one_repository_and_one_environment_may_deploy() -> None:
    program = Program("prod", githubRepository="example/outpost")
    trusts = {
        name: found.document("assumeRolePolicy")["Statement"][0]
        for name, found in program.of("iam/role:Role").items()
        if name.startswith("deployer-")
    }
    subject = "token.actions.githubusercontent.com:sub"
    assert trusts["deployer-deploy"]["Condition"]["StringEquals"][subject] == (
        "repo:example/outpost:environment:prod"
    )
    assert trusts["deployer-preview"]["Condition"]["StringEquals"][subject] == (
        "repo:example/outpost:pull_request"
    )


def test_a_preview_reads_pulumis_state_and_writes_nothing() -> None:
    policies = Program("prod", githubRepository="example/outpost").of("iam/rolePolicy:RolePolicy")
    statements = policies["deployer-preview"].document("policy")["Statement"]
    reads = ("Get", "List", "Describe", "Decrypt")
    verbs = [action.partition(":")[2] for statement in statements for action in statement["Action"]]
    assert all(verb.startswith(reads) for verb in verbs)


def test_without_a_repository_nobody_may_deploy_by_federation() -> None:
    assert not Program("prod").of("iam/openIdConnectProvider:OpenIdConnectProvider")
