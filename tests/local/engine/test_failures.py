"""A deployment that cannot work ends at once and says which resource, and why."""

import pytest

from local.engine.project import Project
from local.engine.state import StackState
from outpost.errors import OutpostError
from tests.local.engine.conftest import SmallProject

pytestmark = pytest.mark.region


def failure(project: SmallProject, program: str, **settings: object) -> OutpostError:
    with pytest.raises(OutpostError) as error:
        project.deploy(program, **settings)
    return error.value


def test_an_unknown_type_is_named(project: SmallProject) -> None:
    error = failure(project, 'aws.redshift.SubnetGroup("x", subnet_ids=["subnet-1"])')
    assert error.code == "unknown-resource-type"
    assert "aws:redshift/subnetGroup:SubnetGroup x" in str(error)


def test_an_argument_that_nobody_reads_is_named_and_nothing_stays(project: SmallProject) -> None:
    error = failure(project, 'aws.ec2.Vpc("v", cidr_block="10.7.0.0/16", instance_tenancy="dedicated")')
    assert error.code == "unknown-argument"
    assert "instanceTenancy" in str(error)
    assert StackState.load(project.state_path, "test").resources == {}
    vpcs = project.region.client("ec2").describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.7.0.0/16"]}])
    assert vpcs["Vpcs"] == []


def test_an_unknown_nested_argument_is_refused(project: SmallProject) -> None:
    program = """
    aws.s3.Bucket("b", bucket="failures-nested")
    aws.s3.BucketVersioning("v", bucket="failures-nested",
        versioning_configuration={"status": "Enabled", "colour": "blue"})
    """
    assert "Colour" in str(failure(project, program))


def test_what_aws_refuses_is_told_with_the_resource_and_others_are_remembered(project: SmallProject) -> None:
    program = """
    vpc = aws.ec2.Vpc("v", cidr_block="10.6.0.0/16")
    aws.ec2.Subnet("s", vpc_id=vpc.id, cidr_block="192.168.0.0/24")
    """
    error = failure(project, program)
    assert error.code == "resource-failed"
    assert "Subnet s" in str(error)
    assert "InvalidSubnet.Range" in str(error)
    kept = StackState.load(project.state_path, "test").resources
    assert [state.type for state in kept.values()] == ["aws:ec2/vpc:Vpc"]
    mended = project.deploy(program.replace("192.168.0.0", "10.6.1.0"))
    assert len(mended.changes.created) == 1


def test_an_exception_of_the_program_ends_the_run(project: SmallProject) -> None:
    error = failure(project, "raise ValueError('no such tier')")
    assert (error.code, "no such tier" in str(error)) == ("program-failed", True)
    late = 'aws.sqs.Queue("q", name="failures-late").arn.apply(lambda arn: {}["x"])'
    assert failure(project, f"pulumi.export('x', {late})").code == "program-failed"


def test_an_error_of_ours_in_the_program_keeps_its_code(project: SmallProject) -> None:
    raising = "from outpost.errors import OutpostError\nraise OutpostError('bad-setting', 'no', remedy='Do.')"
    error = failure(project, raising)
    assert (error.code, error.remedy) == ("bad-setting", "Do.")


def test_an_unknown_function_is_named(project: SmallProject) -> None:
    error = failure(project, 'pulumi.export("x", aws.ec2.get_ami(owners=["self"]).id)')
    assert "aws:ec2/getAmi:getAmi" in str(error)


def test_known_functions_answer(project: SmallProject) -> None:
    program = """
    pulumi.export("zones", aws.get_availability_zones(state="available").names)
    pulumi.export("account", aws.get_caller_identity().account_id)
    pulumi.export("partition", aws.get_partition().partition)
    """
    exports = project.deploy(program).exports
    assert exports["zones"][:2] == ["us-east-1a", "us-east-1b"]
    assert (exports["account"], exports["partition"]) == ("123456789012", "aws")


def test_settings_reach_the_program_in_pulumis_way(project: SmallProject) -> None:
    program = """
    config = pulumi.Config()
    pulumi.export("own", [config.require_int("size"), config.get_object("zones")])
    pulumi.export("stack", [pulumi.get_project(), pulumi.get_stack(), aws.config.region])
    """
    exports = project.deploy(program, zones=["a"], size=4).exports
    assert exports == {"own": [4, ["a"]], "stack": ["small", "test", "us-east-1"]}


def test_a_stack_without_settings_is_named_with_those_that_have_them() -> None:
    with pytest.raises(OutpostError, match=r"no stack 'staging'. Use one of: dev, prod"):
        Project.load("staging")


def test_a_resource_declared_twice_is_refused(project: SmallProject) -> None:
    twice = 'for _ in range(2): aws.sqs.Queue("q", name="failures-twice")'
    assert "declared twice" in str(failure(project, twice))
