"""EFS: PutBackupPolicy and UpdateFileSystem."""

import json
from typing import Any

from moto.efs.exceptions import FileSystemNotFound
from moto.efs.models import EFSBackend, FileSystem
from moto.efs.responses import EFSResponse

_JSON = {"Content-Type": "application/json"}


def _system(backend: EFSBackend, file_system_id: str) -> FileSystem:
    if file_system_id not in backend.file_systems_by_id:
        raise FileSystemNotFound(file_system_id)
    return backend.file_systems_by_id[file_system_id]


def put_backup_policy(self: EFSResponse) -> tuple[str, dict[str, Any]]:
    policy = self._get_param("BackupPolicy")
    _system(self.efs_backend, self._get_param("FileSystemId"))._backup = policy["Status"] == "ENABLED"
    return json.dumps({"BackupPolicy": policy}), _JSON


def update_file_system(self: EFSResponse) -> tuple[str, dict[str, Any]]:
    system = _system(self.efs_backend, self._get_param("FileSystemId"))
    system.throughput_mode = self._get_param("ThroughputMode")
    system.provisioned_throughput_in_mibps = self._get_param("ProvisionedThroughputInMibps")
    return json.dumps(system.info_json()), {**_JSON, "status": 202}


def install() -> None:
    for operation in (put_backup_policy, update_file_system):
        if not hasattr(EFSResponse, operation.__name__):
            setattr(EFSResponse, operation.__name__, operation)
