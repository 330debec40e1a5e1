"""One agent's task definitions: ephemeral for everybody, and one for each tenant with a workspace."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from infra import roles
from infra.account import Account
from infra.containers import container, definitions
from infra.workspaces import TenantMount
from outpost.agents import DEFAULT_STORAGE_GIB, AgentSpec
from outpost.names import WORKER_CONTAINER, Names, family, log_group
from outpost.worker_protocol import AGENT, CONTROL_URL

STOP_TIMEOUT = 120  # seconds to save what there is; Fargate's longest
WORKSPACE = "workspace"
WORKSPACE_PATH = "/workspace"
WORKSPACE_VARIABLE = "OUTPOST_WORKSPACE_DIR"


@dataclass(frozen=True, kw_only=True)
class AgentTaskArgs:
    """`tenants` maps the ids of those in persistent mode to their mounts."""

    spec: AgentSpec
    names: Names
    account: Account
    image: Input[str]
    architecture: str
    repository_arn: Input[str]
    secret_arn: Input[str]
    control_url: Input[str]
    log_retention_days: int
    file_system_id: Input[str]
    tenants: Mapping[str, TenantMount]
    key_arn: Input[str] | None = None


class AgentTask(ComponentResource):
    """An agent's log group, execution role and task definitions."""

    log_group: aws.cloudwatch.LogGroup
    execution_role_arn: Output[str]
    families: list[str]

    def __init__(self, name: str, args: AgentTaskArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:compute:AgentTask", name, {}, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(
            name,
            name=log_group(args.spec.agent),
            retention_in_days=args.log_retention_days,
            kms_key_id=args.key_arn,
            opts=self._child,
        )
        execution = roles.role(
            f"{name}-execution",
            f"{args.names.cluster}-{args.spec.agent}-execution",
            f"ECS starts the {args.spec.agent} agent with it",
            args.account,
            {"start": roles.execution(args.repository_arn, logs.arn, args.secret_arn, args.key_arn)},
            self._child,
        )
        self.log_group, self.execution_role_arn = logs, execution.arn
        own = family(args.spec.agent)
        self._definition(own, mount=None)
        for tenant, mount in args.tenants.items():
            self._definition(f"{own}-{tenant}", mount)
        self.families = [own, *(f"{own}-{tenant}" for tenant in args.tenants)]
        self.register_outputs({"log_group_arn": logs.arn})

    def _definition(self, family_name: str, mount: TenantMount | None) -> None:
        args, tier = self._args, self._args.spec.tier
        aws.ecs.TaskDefinition(
            family_name,
            family=family_name,
            cpu=str(tier.cpu),
            memory=str(tier.memory),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            execution_role_arn=self.execution_role_arn,
            task_role_arn=mount.role_arn if mount else None,  # ephemeral: no AWS permissions at all
            runtime_platform=aws.ecs.TaskDefinitionRuntimePlatformArgs(
                cpu_architecture=args.architecture, operating_system_family="LINUX"
            ),
            ephemeral_storage=None
            if tier.storage == DEFAULT_STORAGE_GIB
            else aws.ecs.TaskDefinitionEphemeralStorageArgs(size_in_gib=tier.storage),
            volumes=[self._volume(mount)] if mount else None,
            container_definitions=definitions(self._container(persistent=mount is not None)),
            opts=self._child,
        )

    def _container(self, *, persistent: bool) -> dict[str, object]:
        args = self._args
        environment = {AGENT: str(args.spec.agent), CONTROL_URL: args.control_url}
        more: dict[str, object] = {}
        if persistent:
            environment[WORKSPACE_VARIABLE] = WORKSPACE_PATH
            more["mountPoints"] = [
                {"sourceVolume": WORKSPACE, "containerPath": WORKSPACE_PATH, "readOnly": False}
            ]
        return container(
            name=WORKER_CONTAINER,
            image=args.image,
            log_group=self.log_group.name,
            region=args.account.region,
            stop_timeout=STOP_TIMEOUT,
            environment=environment,
            secrets={args.spec.key_variable: args.secret_arn},
            **more,
        )

    def _volume(self, mount: TenantMount) -> aws.ecs.TaskDefinitionVolumeArgs:
        return aws.ecs.TaskDefinitionVolumeArgs(
            name=WORKSPACE,
            efs_volume_configuration=aws.ecs.TaskDefinitionVolumeEfsVolumeConfigurationArgs(
                file_system_id=self._args.file_system_id,
                transit_encryption="ENABLED",
                authorization_config=aws.ecs.TaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfigArgs(
                    access_point_id=mount.access_point_id, iam="ENABLED"
                ),
            ),
        )
