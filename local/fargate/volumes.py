"""EFS volumes: checked as the network and the file system's policy would, then a directory.

The directory is linked into the task's directory under the container path, and its place is told to the
container in `OUTPOST_MOUNT_<VOLUME>`, since a process cannot have a mount of its own here.
"""

from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.aws.client import Clients
from local.aws.moto_app import REGION
from local.ecs.model import Container, Task
from local.fargate import failures
from local.fargate.reachability import Reachability
from outpost.names import NFS_PORT


class Volumes:
    """Mounts the EFS volumes of tasks under `directory`, one folder per file system."""

    def __init__(self, clients: Clients, reachability: Reachability, directory: Path) -> None:
        self._clients = clients
        self._reachability = reachability
        self._directory = directory

    def mount(self, task: Task, container: Container, task_directory: Path) -> dict[str, str]:
        volumes = {volume["name"]: volume for volume in task.definition["volumes"]}
        variables = {}
        declared = container.definition.get("environment") or []
        for point in container.definition.get("mountPoints") or []:
            volume = volumes.get(point.get("sourceVolume", ""), {})
            efs = volume.get("efsVolumeConfiguration")
            source = self._efs(task, efs) if efs else self._scratch(task, volume)
            link = task_directory / str(point["containerPath"]).lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(source)
            name = str(point["sourceVolume"]).upper().replace("-", "_")
            variables[f"OUTPOST_MOUNT_{name}"] = str(link)
            # Whoever is told the container path is told where that is here.
            told = {each["name"] for each in declared if each["value"] == point["containerPath"]}
            variables |= dict.fromkeys(told, str(link))
        return variables

    def _scratch(self, task: Task, volume: dict[str, Any]) -> Path:
        source = self._directory / "scratch" / task.id / str(volume.get("name", "volume"))
        source.mkdir(parents=True, exist_ok=True)
        return source

    def _efs(self, task: Task, efs: dict[str, Any]) -> Path:
        file_system = str(efs["fileSystemId"])
        self._network(task, file_system)
        authorization = efs.get("authorizationConfig") or {}
        access_point = str(authorization.get("accessPointId") or "")
        root = str(efs.get("rootDirectory") or "/")
        if access_point:
            root = self._access_point(file_system, access_point)
        source = self._directory / file_system / root.lstrip("/")
        source.mkdir(parents=True, exist_ok=True)
        return source

    def _network(self, task: Task, file_system: str) -> None:
        efs = self._clients.internal("efs")
        try:
            targets = efs.describe_mount_targets(FileSystemId=file_system)["MountTargets"]
        except ClientError as error:
            raise failures.efs_unknown(file_system) from error
        here = [
            target
            for target in targets
            if target.get("AvailabilityZoneName") == task.availability_zone
            and target.get("LifeCycleState", "available") == "available"
        ]
        if not here:
            raise failures.efs_no_mount_target(file_system, REGION, task.availability_zone)
        groups = efs.describe_mount_target_security_groups(MountTargetId=here[0]["MountTargetId"])[
            "SecurityGroups"
        ]
        ours = list(task.network.get("securityGroups") or [])
        if not self._reachability.open_between(ours, groups, NFS_PORT):
            raise failures.efs_timeout()

    def _access_point(self, file_system: str, access_point: str) -> str:
        try:
            points = self._clients.internal("efs").describe_access_points(AccessPointId=access_point)[
                "AccessPoints"
            ]
        except ClientError as error:
            raise failures.efs_denied() from error
        if not points or points[0]["FileSystemId"] != file_system:
            raise failures.efs_denied()
        return str((points[0].get("RootDirectory") or {}).get("Path") or "/")
