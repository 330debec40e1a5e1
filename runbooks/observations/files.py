"""EFS: the file system of the workspaces and its mount targets."""

from __future__ import annotations

from runbooks.looking import Absent, Answer, Look
from runbooks.target import Target


class Files:
    def __init__(self, look: Look, target: Target) -> None:
        self._look = look
        self._target = target

    def file_system(self) -> Answer:
        """The workspaces' file system. Raises `Absent`."""
        token = self._target.names.file_system
        answer = self._look("efs:DescribeFileSystems", CreationToken=token)
        if not answer.get("FileSystems"):
            raise Absent("efs:DescribeFileSystems", "FileSystemNotFound", token)
        found: Answer = answer["FileSystems"][0]
        return found

    def mount_targets(self) -> list[Answer]:
        """Those that are there or on their way."""
        answer = self._look("efs:DescribeMountTargets", FileSystemId=self.file_system()["FileSystemId"])
        return [
            target
            for target in answer.get("MountTargets", [])
            if target.get("LifeCycleState") not in ("deleting", "deleted")
        ]

    def security_groups(self, mount_target: Answer) -> list[str]:
        answer = self._look(
            "efs:DescribeMountTargetSecurityGroups", MountTargetId=mount_target["MountTargetId"]
        )
        return list(answer.get("SecurityGroups", []))
