"""The workspaces file system: what tenants in persistent mode keep between dispatches.

The only way in is an access point, and each tenant's role may use its own alone (docs/adr/0011).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from infra import roles
from infra.account import Account
from infra.policies import ALL, Statement, policy
from outpost.names import Names

CLIENT_ACTIONS = (
    "elasticfilesystem:ClientMount",
    "elasticfilesystem:ClientWrite",
    "elasticfilesystem:ClientRootAccess",
)
WORKER_UID = 10001  # the user that the worker image runs as


@dataclass(frozen=True, kw_only=True)
class TenantMount:
    """A tenant's access point and the one role that may mount it."""

    access_point_id: Input[str]
    access_point_arn: Input[str]
    role_arn: Input[str]


@dataclass(frozen=True, kw_only=True)
class WorkspacesArgs:
    """`tenants` are those in persistent mode; `security_group_id` lets the workers in."""

    names: Names
    account: Account
    subnet_ids: Sequence[Input[str]]
    security_group_id: Input[str]
    tenants: Sequence[str]
    protect: bool
    key_arn: Input[str] | None = None


class Workspaces(ComponentResource):
    """An encrypted file system with a mount target in every zone, backed up daily."""

    file_system_id: Output[str]
    arn: Output[str]
    mounts: Mapping[str, TenantMount]

    def __init__(self, name: str, args: WorkspacesArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:data:Workspaces", name, {}, opts)
        self._name, self._args = name, args
        self._child = child = ResourceOptions(parent=self)
        file_system = aws.efs.FileSystem(
            name,
            creation_token=args.names.file_system,
            encrypted=True,
            kms_key_id=args.key_arn,
            throughput_mode="elastic",
            lifecycle_policies=[aws.efs.FileSystemLifecyclePolicyArgs(transition_to_ia="AFTER_30_DAYS")],
            tags={"Name": args.names.file_system},
            opts=ResourceOptions(parent=self, protect=args.protect),
        )
        self.file_system_id, self.arn = file_system.id, file_system.arn
        for index, subnet_id in enumerate(args.subnet_ids):
            aws.efs.MountTarget(
                f"{name}-{index}",
                file_system_id=file_system.id,
                subnet_id=subnet_id,
                security_groups=[args.security_group_id],
                opts=child,
            )
        aws.efs.BackupPolicy(
            name,
            file_system_id=file_system.id,
            backup_policy=aws.efs.BackupPolicyBackupPolicyArgs(status="ENABLED"),
            opts=child,
        )
        self.mounts = {tenant: self._mount(tenant) for tenant in args.tenants}
        aws.efs.FileSystemPolicy(name, file_system_id=file_system.id, policy=self._policy(), opts=child)
        self.register_outputs({"file_system_id": self.file_system_id})

    def _mount(self, tenant: str) -> TenantMount:
        name = f"{self._name}-{tenant}"
        point = aws.efs.AccessPoint(
            name,
            file_system_id=self.file_system_id,
            posix_user=aws.efs.AccessPointPosixUserArgs(uid=WORKER_UID, gid=WORKER_UID),
            root_directory=aws.efs.AccessPointRootDirectoryArgs(
                path=f"/tenants/{tenant}",
                creation_info=aws.efs.AccessPointRootDirectoryCreationInfoArgs(
                    owner_uid=WORKER_UID, owner_gid=WORKER_UID, permissions="0700"
                ),
            ),
            tags={"Name": f"outpost-{tenant}", "outpost:tenant": tenant},
            opts=self._child,
        )
        # A role's name has 64 characters at most, and so may a tenant's id: hence the digest.
        digest = hashlib.sha256(tenant.encode()).hexdigest()[:12]
        role = roles.role(
            name,
            f"{self._args.names.cluster}-workspace-{digest}",
            f"Mounts the workspace of {tenant}",
            self._args.account,
            {"workspace": roles.access_point(self.arn, point.arn)},
            self._child,
        )
        return TenantMount(access_point_id=point.id, access_point_arn=point.arn, role_arn=role.arn)

    def _policy(self) -> Output[str]:
        """Deny every client but those that come through a tenant's access point, over TLS.

        It allows nothing: without an allow in a role's own policy (infra/roles.py gives one to each
        tenant's role, for its access point only) no client gets in. A file system without any policy
        would let in every NFS client that reaches a mount target.
        """
        points: list[Input[str]] = [mount.access_point_arn for mount in self.mounts.values()]
        outside = Statement(
            sid="OnlyThroughAccessPoints",
            effect="Deny",
            actions=CLIENT_ACTIONS,
            resources=[self.arn],
            principals={"AWS": ALL},
            conditions={"StringNotEquals": {"elasticfilesystem:AccessPointArn": points}} if points else {},
        )
        clear = Statement(
            sid="TlsOnly",
            effect="Deny",
            actions=CLIENT_ACTIONS,
            resources=[self.arn],
            principals={"AWS": ALL},
            conditions={"Bool": {"aws:SecureTransport": "false"}},
        )
        return policy(outside, clear)
