"""Tasks that do not start, with Fargate's reasons."""

from typing import Any

import pytest

from tests.local.bench import Bench

pytestmark = pytest.mark.region
GREETING = "print('started')"


def failed(bench: Bench, family: str) -> dict[str, Any]:
    task = bench.await_status(bench.run(family), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert "startedAt" not in task
    return task


def secret_of(bench: Bench, name: str, value: str | None) -> list[dict[str, str]]:
    request = {"Name": name} if value is None else {"Name": name, "SecretString": value}
    arn = bench.region.client("secretsmanager").create_secret(**request)["ARN"]
    return [{"name": "KEY", "valueFrom": arn}]


def test_an_unknown_image_cannot_be_pulled(bench: Bench) -> None:
    assert failed(bench, bench.register("nowhere"))["stoppedReason"].startswith("CannotPullContainerError: ")


def test_a_secret_reaches_the_container(bench: Bench) -> None:
    secrets = secret_of(bench, f"full-{bench.number}", "hush")
    task = bench.run(bench.register(bench.program("import os; print(os.environ['KEY'])"), secrets=secrets))
    bench.await_status(task, "STOPPED")

    assert bench.log(task) == ["hush"]


def test_a_secret_without_value_stops_the_task(bench: Bench) -> None:
    family = bench.register(bench.program(GREETING), secrets=secret_of(bench, f"empty-{bench.number}", None))

    reason = failed(bench, family)["stoppedReason"]

    assert reason.startswith("ResourceInitializationError: unable to pull secrets or registry auth")
    assert "ResourceNotFoundException" in reason
    assert "AWSCURRENT" in reason


def test_a_missing_log_group_stops_the_task(bench: Bench) -> None:
    bench.region.client("logs").delete_log_group(logGroupName=bench.log_group)

    reason = failed(bench, bench.register(bench.program(GREETING)))["stoppedReason"]

    assert "failed to create Cloudwatch log stream: ResourceNotFoundException" in reason


def test_without_egress_the_registry_cannot_be_reached(bench: Bench) -> None:
    ec2 = bench.region.client("ec2")
    everywhere = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.revoke_security_group_egress(GroupId=bench.group, IpPermissions=everywhere)
    family = bench.register(bench.program(GREETING))

    assert "i/o timeout" in failed(bench, family)["stoppedReason"]

    ec2.authorize_security_group_egress(GroupId=bench.group, IpPermissions=everywhere)
    assert bench.await_status(bench.run(family), "STOPPED")["stopCode"] == "EssentialContainerExited"


def test_without_a_route_the_registry_cannot_be_reached(bench: Bench) -> None:
    bench.region.client("ec2").delete_route(RouteTableId=bench.route_table, DestinationCidrBlock="0.0.0.0/0")

    assert "i/o timeout" in failed(bench, bench.register(bench.program(GREETING)))["stoppedReason"]


def test_a_full_subnet_has_no_address_for_a_task(bench: Bench) -> None:
    ec2 = bench.region.client("ec2")
    bench.subnet = bench.make_subnet("10.0.20.0/28", "us-east-1a")
    ec2.associate_route_table(RouteTableId=bench.route_table, SubnetId=bench.subnet)
    for last in range(4, 15):
        ec2.create_network_interface(SubnetId=bench.subnet, PrivateIpAddress=f"10.0.20.{last}")

    assert (
        "InsufficientFreeAddressesInSubnet"
        in failed(bench, bench.register(bench.program(GREETING)))["stoppedReason"]
    )


class TestEfs:
    """EFS volumes of tasks."""

    def volume(self, bench: Bench) -> tuple[str, str, str]:
        """A family that mounts a file system, the file system, and its mount target's security group."""
        efs, ec2 = bench.region.client("efs"), bench.region.client("ec2")
        file_system = efs.create_file_system(CreationToken=f"efs-{bench.number}")["FileSystemId"]
        group = ec2.create_security_group(GroupName="nfs", Description="nfs", VpcId=bench.vpc)["GroupId"]
        source = "import os; print(os.path.isdir(os.environ['OUTPOST_MOUNT_WORK']))"
        volume = {"name": "work", "efsVolumeConfiguration": {"fileSystemId": file_system}}
        family = bench.register(
            bench.program(source),
            mountPoints=[{"sourceVolume": "work", "containerPath": "/workspace"}],
            task_volumes=[volume],
        )
        return family, file_system, group

    def open_nfs(self, bench: Bench, group: str) -> None:
        rule = {
            "IpProtocol": "tcp",
            "FromPort": 2049,
            "ToPort": 2049,
            "UserIdGroupPairs": [{"GroupId": bench.group}],
        }
        bench.region.client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    def test_a_zone_without_mount_target(self, bench: Bench) -> None:
        family, _, _ = self.volume(bench)

        reason = failed(bench, family)["stoppedReason"]

        assert "failed to invoke EFS utils commands" in reason
        assert "mount target" in reason

    def test_nfs_closed_times_out_and_open_mounts(self, bench: Bench) -> None:
        family, file_system, group = self.volume(bench)
        bench.region.client("efs").create_mount_target(
            FileSystemId=file_system, SubnetId=bench.subnet, SecurityGroups=[group]
        )
        assert "mount.nfs4: Connection timed out" in failed(bench, family)["stoppedReason"]

        self.open_nfs(bench, group)
        task = bench.run(family)
        bench.await_status(task, "STOPPED")
        assert bench.log(task) == ["True"]
