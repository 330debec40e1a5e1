"""The plan that the scanner reads says what the program declares, and no exception outlives its finding."""

import re
from typing import Any

import pytest

from infra.rendering import Declared, Rendered
from infra.scan import Finding, as_text, judge
from infra.scan_exceptions import ACCEPTED, Accepted
from infra.scan_plan import as_plan, terraform_type

BUCKET = "aws_s3_bucket.artifacts"


@pytest.fixture(scope="module")
def prod() -> Declared:
    return Declared.of_stack("prod")


@pytest.fixture(scope="module")
def plan(prod: Declared) -> dict[str, Any]:
    resources = as_plan(prod)["planned_values"]["root_module"]["resources"]
    return {resource["address"]: resource["values"] for resource in resources}


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("aws:ec2/natGateway:NatGateway", "aws_nat_gateway"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "aws_security_group_ingress_rule"),
        ("aws:lb/loadBalancer:LoadBalancer", "aws_lb"),
        ("aws:s3/bucketVersioning:BucketVersioning", "aws_s3_bucket_versioning"),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "aws_cloudwatch_metric_alarm"),
        (
            "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace",
            "aws_service_discovery_private_dns_namespace",
        ),
    ],
)
def test_types_are_spelt_as_terraform_spells_them(token: str, expected: str) -> None:
    assert terraform_type(token) == expected


def test_every_aws_resource_is_in_the_plan(prod: Declared, plan: dict[str, Any]) -> None:
    assert len(plan) == sum(each.type.startswith("aws:") for each in prod.resources)


def test_blocks_are_lists_and_tags_are_not(plan: dict[str, Any]) -> None:
    assert plan["aws_vpc.network-vpc"]["tags"] == {"Name": "outpost-prod"}
    service = plan["aws_ecs_service.control-plane"]
    assert service["deployment_circuit_breaker"] == [{"enable": True, "rollback": True}]
    assert service["desired_count"] == 3
    table = plan["aws_dynamodb_table.tables-jobs"]
    assert table["point_in_time_recovery"] == [{"enabled": True}]


def test_what_refers_to_a_resource_names_it() -> None:
    bucket = Rendered(
        type="aws:s3/bucket:Bucket",
        name="artifacts",
        outputs={"id": "outpost-artifacts", "arn": "arn:bucket"},
    )
    versioning = Rendered(
        type="aws:s3/bucketVersioning:BucketVersioning",
        name="artifacts",
        inputs={"bucket": "outpost-artifacts"},
        outputs={"id": "v", "arn": "arn:v"},
    )
    found = as_plan(Declared("dev", [bucket, versioning]))["configuration"]["root_module"]["resources"]
    assert found[1]["expressions"]["bucket"]["references"] == [BUCKET, f"{BUCKET}.id"]


def finding(check: str = "CKV_AWS_1", stack: str = "dev", resource: str = BUCKET) -> Finding:
    return Finding(stack=stack, check=check, resource=resource, title="Ensure it")


def test_a_finding_that_nobody_accepted_is_open() -> None:
    verdict = judge([finding()], passed=1, accepted=())
    assert not verdict.clean
    assert "dev: CKV_AWS_1 aws_s3_bucket.artifacts: Ensure it" in as_text(verdict)


def test_an_exception_covers_its_resources_and_stacks_only() -> None:
    exception = Accepted(check="CKV_AWS_1", resources=r"aws_s3_bucket\..*", reason="so", stacks=("dev",))
    others = [finding(stack="prod"), finding(resource="aws_vpc.it"), finding(check="CKV_AWS_2")]
    verdict = judge([finding(), *others], passed=0, accepted=[exception])
    assert [covered for covered, _ in verdict.accepted] == [finding()]
    assert list(verdict.open) == sorted(others)


def test_an_exception_without_a_finding_is_stale() -> None:
    exception = Accepted(check="CKV_AWS_1", reason="so")
    verdict = judge([], passed=5, accepted=[exception])
    assert verdict.stale == [exception]
    assert not verdict.clean
    assert "stale exception: CKV_AWS_1" in as_text(verdict)


def test_an_exception_for_a_stack_that_was_not_scanned_is_not_stale() -> None:
    exception = Accepted(check="CKV_AWS_1", reason="so", stacks=("prod",))
    assert judge([], passed=5, stacks=["dev"], accepted=[exception]).clean


def test_every_exception_has_a_reason_and_a_valid_pattern() -> None:
    for exception in ACCEPTED:
        assert len(exception.reason) > 20, exception.check
        re.compile(exception.resources)
