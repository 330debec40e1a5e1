"""The control plane: its roles, task definition and service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, Resource, ResourceOptions

from infra import roles
from infra.account import Account
from infra.containers import container, definitions
from infra.load_balancer import IDLE_TIMEOUT
from infra.policies import Statement
from outpost.agents import CONTROL_PLANE
from outpost.names import (
    CONTROL_PLANE_CONTAINER,
    CONTROL_PLANE_FAMILY,
    CONTROL_PLANE_LOG_GROUP,
    CONTROL_PLANE_PORT,
    SERVICE,
    TASK_ROLE,
    Names,
)

STOP_TIMEOUT = 60  # seconds to finish requests and give back queue messages
HEALTH_CHECK_GRACE = 30  # seconds; it starts in under two
PLATFORM_VERSION = "1.4.0"  # what LATEST means on Linux, named so that a release of AWS is a change of ours
SCALE_AT_CPU = 60  # percent of the replicas' CPU; leaves room for the minute that a new one takes
SCRATCH = "scratch"  # the one writable directory of a read-only container; git works there when promoting


@dataclass(frozen=True, kw_only=True)
class ControlPlaneArgs:
    """`policies` are the task role's, by name; `environment` comes on top of what every stack has.

    Auto-scaling keeps `replicas` to `replicas_maximum` tasks.
    """

    names: Names
    account: Account
    image: Input[str]
    architecture: str
    repository_arn: Input[str]
    cluster_arn: Input[str]
    registry_arn: Input[str]
    subnet_ids: Sequence[Input[str]]
    security_group_id: Input[str]
    target_group_arn: Input[str]
    replicas: int
    replicas_maximum: int
    log_retention_days: int
    token_key_arn: Input[str]
    policies: dict[str, Sequence[Statement]]
    environment: Mapping[str, Input[str]]
    key_arn: Input[str] | None = None


class ControlPlane(ComponentResource):
    """The service behind the load balancer, rolled back by ECS when a deployment does not get healthy."""

    service_name: Output[str]
    log_group: aws.cloudwatch.LogGroup

    def __init__(
        self,
        name: str,
        args: ControlPlaneArgs,
        opts: ResourceOptions | None = None,
        *,
        after: Sequence[Resource] = (),
    ) -> None:
        """`after`: the listener, since ECS refuses a target group that no load balancer uses."""
        super().__init__("outpost:compute:ControlPlane", name, {}, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(
            name,
            name=CONTROL_PLANE_LOG_GROUP,
            retention_in_days=args.log_retention_days,
            kms_key_id=args.key_arn,
            opts=self._child,
        )
        service = self._service(self._task_definition(logs), after)
        self._scaling(service)
        self.service_name, self.log_group = service.name, logs
        self.register_outputs({"service_name": self.service_name})

    def _task_definition(self, logs: aws.cloudwatch.LogGroup) -> aws.ecs.TaskDefinition:
        args = self._args
        task_role = roles.role(
            f"{self._name}-task",
            TASK_ROLE,
            "The control plane's code",
            args.account,
            args.policies,
            self._child,
        )
        execution = roles.role(
            f"{self._name}-execution",
            f"{args.names.cluster}-control-plane-execution",
            "ECS starts the control plane with it",
            args.account,
            {"start": roles.execution(args.repository_arn, logs.arn, args.token_key_arn, args.key_arn)},
            self._child,
        )
        return aws.ecs.TaskDefinition(
            CONTROL_PLANE_FAMILY,
            family=CONTROL_PLANE_FAMILY,
            cpu=str(CONTROL_PLANE.cpu),
            memory=str(CONTROL_PLANE.memory),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            execution_role_arn=execution.arn,
            task_role_arn=task_role.arn,
            runtime_platform=aws.ecs.TaskDefinitionRuntimePlatformArgs(
                cpu_architecture=args.architecture, operating_system_family="LINUX"
            ),
            skip_destroy=True,  # a roll-back needs the revision before this one
            volumes=[aws.ecs.TaskDefinitionVolumeArgs(name=SCRATCH)],
            container_definitions=definitions(self._container(logs.name)),
            opts=self._child,
        )

    def _container(self, log_group_name: Input[str]) -> dict[str, object]:
        args = self._args
        return container(
            name=CONTROL_PLANE_CONTAINER,
            image=args.image,
            log_group=log_group_name,
            region=args.account.region,
            stop_timeout=STOP_TIMEOUT,
            environment={
                "HOST": "0.0.0.0",  # noqa: S104 - the task's own interface; its security group guards it
                "PORT": str(CONTROL_PLANE_PORT),
                "AWS_REGION": args.account.region,
                # Backs off exponentially, with jitter; five tries in all.
                "AWS_RETRY_MODE": "standard",
                "AWS_MAX_ATTEMPTS": "5",
                # Longer than the load balancer's, or it would send requests into closing connections.
                "KEEP_ALIVE_SECONDS": str(IDLE_TIMEOUT + 5),
                "OUTPOST_STACK": args.names.stack,
                "ECS_CLUSTER": args.names.cluster,
                **args.environment,
            },
            secrets={"WORKER_TOKEN_KEY": args.token_key_arn},
            portMappings=[
                {
                    "containerPort": CONTROL_PLANE_PORT,
                    "hostPort": CONTROL_PLANE_PORT,
                    "protocol": "tcp",
                }
            ],
            mountPoints=[{"sourceVolume": SCRATCH, "containerPath": "/tmp", "readOnly": False}],  # noqa: S108
            readonlyRootFilesystem=True,
        )

    def _service(self, task_definition: aws.ecs.TaskDefinition, after: Sequence[Resource]) -> aws.ecs.Service:
        args = self._args
        return aws.ecs.Service(
            self._name,
            name=SERVICE,
            cluster=args.cluster_arn,
            task_definition=task_definition.arn,
            desired_count=args.replicas,
            launch_type="FARGATE",
            platform_version=PLATFORM_VERSION,
            propagate_tags="SERVICE",
            enable_ecs_managed_tags=True,
            # All of the old tasks stay until as many new ones are healthy.
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker=aws.ecs.ServiceDeploymentCircuitBreakerArgs(
                enable=True, rollback=True
            ),
            health_check_grace_period_seconds=HEALTH_CHECK_GRACE,
            network_configuration=aws.ecs.ServiceNetworkConfigurationArgs(
                subnets=args.subnet_ids,
                security_groups=[args.security_group_id],
                assign_public_ip=False,
            ),
            load_balancers=[
                aws.ecs.ServiceLoadBalancerArgs(
                    target_group_arn=args.target_group_arn,
                    container_name=CONTROL_PLANE_CONTAINER,
                    container_port=CONTROL_PLANE_PORT,
                )
            ],
            service_registries=aws.ecs.ServiceServiceRegistriesArgs(registry_arn=args.registry_arn),
            # The count is auto-scaling's from the first deployment on.
            opts=ResourceOptions(parent=self, depends_on=after, ignore_changes=["desiredCount"]),
        )

    def _scaling(self, service: aws.ecs.Service) -> None:
        target = aws.appautoscaling.Target(
            self._name,
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=Output.concat("service/", self._args.names.cluster, "/", service.name),
            min_capacity=self._args.replicas,
            max_capacity=self._args.replicas_maximum,
            opts=self._child,
        )
        aws.appautoscaling.Policy(
            self._name,
            name=f"{self._args.names.cluster}-control-plane-cpu",
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration=aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
                target_value=SCALE_AT_CPU,
                predefined_metric_specification=aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs(
                    predefined_metric_type="ECSServiceAverageCPUUtilization"
                ),
            ),
            opts=self._child,
        )
