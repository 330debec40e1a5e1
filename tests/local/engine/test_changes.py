"""A changed program: in place, replaced or deleted, as Pulumi's semantics say."""

from typing import Any

import pytest

from local.engine import Deployment
from local.engine.deployment import destroy
from outpost.errors import OutpostError
from tests.local.engine.conftest import SmallProject

pytestmark = pytest.mark.region


def only(deployment: Deployment, token: str) -> Any:
    (found,) = deployment.of_type(token)
    return found


def names(urns: list[str]) -> list[str]:
    return [urn.rpartition("::")[2] for urn in urns]


TASK = """
definition = aws.ecs.TaskDefinition("task", family="changes-task", cpu="256", memory="512",
    network_mode="awsvpc", requires_compatibilities=["FARGATE"], container_definitions=json.dumps(
        [{{"name": "worker", "image": "{image}", "essential": True}}]))
pulumi.export("revision", definition.revision)
"""


def test_a_task_definition_gets_a_new_revision_and_the_old_one_ends(project: SmallProject) -> None:
    first = project.deploy(TASK.format(image="one"))
    second = project.deploy(TASK.format(image="two"))
    assert second.exports["revision"] == first.exports["revision"] + 1
    assert (names(second.changes.replaced), second.changes.deleted) == (["task"], [])
    ecs = project.region.client("ecs")
    listed = ecs.list_task_definitions(familyPrefix="changes-task")["taskDefinitionArns"]
    assert listed == [only(second, "aws:ecs/taskDefinition:TaskDefinition").outputs["arn"]]


RULES = """
vpc = aws.ec2.Vpc("vpc", cidr_block="10.9.0.0/16", tags={{"Name": "{tag}"}})
group = aws.ec2.SecurityGroup("group", name="{group}", description="d", vpc_id=vpc.id)
rule = aws.vpc.SecurityGroupIngressRule("rule", security_group_id=group.id, ip_protocol="tcp",
    from_port={port}, to_port={port}, cidr_ipv4="10.0.0.0/8", description="{text}")
"""


def test_a_rule_changes_in_place_and_moves_with_its_group(project: SmallProject) -> None:
    arguments = {"tag": "a", "group": "changes-a", "port": 2049, "text": "NFS"}
    first = project.deploy(RULES.format(**arguments))
    rule = only(first, "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")

    second = project.deploy(RULES.format(**{**arguments, "port": 2050, "text": "other"}))
    assert names(second.changes.updated) == ["rule"]
    ec2 = project.region.client("ec2")
    described = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule.id])["SecurityGroupRules"]
    assert [(r["FromPort"], r["ToPort"], r["Description"]) for r in described] == [(2050, 2050, "other")]

    third = project.deploy(RULES.format(**{**arguments, "group": "changes-b"}))
    assert names(third.changes.replaced) == ["group", "rule"]
    group = only(third, "aws:ec2/securityGroup:SecurityGroup")
    moved = only(third, "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert moved.inputs["securityGroupId"] == group.id
    remaining = ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [only(third, "aws:ec2/vpc:Vpc").id]}]
    )["SecurityGroups"]
    assert {g["GroupName"] for g in remaining} == {"default", "changes-b"}


def test_tags_change_in_place_and_those_left_out_go(project: SmallProject) -> None:
    arguments = {"group": "changes-t", "port": 1, "text": "x"}
    first = project.deploy(RULES.format(tag="a", **arguments))
    second = project.deploy(RULES.format(tag="b", **arguments).replace('"Name"', '"Owner"'))
    vpc = only(second, "aws:ec2/vpc:Vpc")
    assert (names(second.changes.updated), vpc.id) == (["vpc"], only(first, "aws:ec2/vpc:Vpc").id)
    found = project.region.client("ec2").describe_vpcs(VpcIds=[vpc.id])["Vpcs"][0]
    assert found["Tags"] == [{"Key": "Owner", "Value": "b"}]


SERVICE = """
cluster = aws.ecs.Cluster("cluster", name="changes-{cluster}")
task = aws.ecs.TaskDefinition("task", family="changes-service", cpu="256", memory="512",
    network_mode="awsvpc", requires_compatibilities=["FARGATE"],
    container_definitions=json.dumps([{{"name": "c", "image": "{image}", "essential": True}}]))
aws.ecs.Service("service", name="changes", cluster=cluster.arn, task_definition=task.arn,
    desired_count={count}, launch_type="FARGATE", deployment_minimum_healthy_percent=50,
    network_configuration={{"subnets": ["subnet-1"], "security_groups": ["sg-1"]}})
"""


def test_a_service_rolls_in_place_and_moves_only_with_its_cluster(project: SmallProject) -> None:
    first = project.deploy(SERVICE.format(cluster="a", image="one", count=0))
    second = project.deploy(SERVICE.format(cluster="a", image="two", count=0))
    assert (names(second.changes.replaced), names(second.changes.updated)) == (["task"], ["service"])
    ecs = project.region.client("ecs")
    described = ecs.describe_services(cluster="changes-a", services=["changes"])["services"][0]
    assert described["taskDefinition"] == only(second, "aws:ecs/taskDefinition:TaskDefinition").outputs["arn"]
    assert only(second, "aws:ecs/service:Service").id == only(first, "aws:ecs/service:Service").id

    third = project.deploy(SERVICE.format(cluster="b", image="two", count=0))
    assert names(third.changes.replaced) == ["cluster", "service"]
    assert ecs.describe_services(cluster="changes-b", services=["changes"])["services"]
    clusters = ecs.describe_clusters(clusters=["changes-a", "changes-b"])["clusters"]
    assert [c["clusterName"] for c in clusters if c["status"] == "ACTIVE"] == ["changes-b"]


QUEUE = 'aws.sqs.Queue("{name}", name="changes-{queue}", delay_seconds=1{options})'


def test_what_is_no_longer_declared_is_deleted(project: SmallProject) -> None:
    project.deploy(QUEUE.format(name="q", queue="gone", options=""))
    second = project.deploy("")
    assert names(second.changes.deleted) == ["q"]
    assert "QueueUrls" not in project.region.client("sqs").list_queues(QueueNamePrefix="changes-gone")


def test_an_alias_keeps_a_renamed_resource(project: SmallProject) -> None:
    first = project.deploy(QUEUE.format(name="before", queue="alias", options=""))
    alias = ', opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name="before")])'
    second = project.deploy(QUEUE.format(name="after", queue="alias", options=alias))
    assert (second.changes.unchanged, second.changes.deleted) == ([second.resources[0].urn], [])
    assert second.resources[0].id == first.resources[0].id


def test_ignored_changes_are_left_alone(project: SmallProject) -> None:
    project.deploy(QUEUE.format(name="q", queue="ignore", options=""))
    ignore = ', visibility_timeout_seconds=7, opts=pulumi.ResourceOptions(ignore_changes=["{}"])'
    options = ignore.format("visibilityTimeoutSeconds")
    assert project.deploy(QUEUE.format(name="q", queue="ignore", options=options)).changes.unchanged
    options = ignore.format("delaySeconds")
    assert project.deploy(QUEUE.format(name="q", queue="ignore", options=options)).changes.updated


def test_what_is_protected_is_not_deleted(project: SmallProject) -> None:
    options = ", opts=pulumi.ResourceOptions(protect=True)"
    project.deploy(QUEUE.format(name="q", queue="protect", options=options))
    with pytest.raises(OutpostError, match="Queue q is protected") as error:
        destroy("test", project.region.session, project.state_path, endpoint_url=project.region.aws_url)
    assert error.value.code == "protected"
    project.deploy(QUEUE.format(name="q", queue="protect", options=""))
    changes = destroy("test", project.region.session, project.state_path, endpoint_url=project.region.aws_url)
    assert names(changes.deleted) == ["q"]


def test_a_random_password_stays(project: SmallProject) -> None:
    program = """
    import pulumi_random
    password = pulumi_random.RandomPassword("p", length=40, special=False)
    pulumi.export("password", password.result)
    """
    first = project.deploy(program)
    assert len(first.exports["password"]) == 40
    assert first.exports["password"].isalnum()
    assert project.deploy(program).exports == first.exports
    assert project.state_path.stat().st_mode & 0o077 == 0
