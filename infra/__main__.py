"""The Pulumi program: the components of a stack, wired together. `pulumi up` runs this directory."""

import sys
from pathlib import Path

# Pulumi puts this directory on the path; what it imports are packages of the directory above.
sys.path[:] = [str(Path(__file__).resolve().parents[1])] + [
    entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent
]

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from infra import control_plane_policies as may
from infra.account import Account
from infra.agent_task import AgentTask, AgentTaskArgs
from infra.bucket import BucketArgs, PrivateBucket, log_writers
from infra.cluster import Cluster, ClusterArgs
from infra.control_plane import ControlPlane, ControlPlaneArgs
from infra.deployer import Deployer, DeployerArgs
from infra.endpoints import Endpoints, EndpointsArgs
from infra.firewall import HTTP, HTTPS, Firewall, FirewallArgs
from infra.flow_logs import FlowLogs, FlowLogsArgs
from infra.key import EncryptionKey, EncryptionKeyArgs
from infra.load_balancer import LoadBalancer, LoadBalancerArgs
from infra.monitoring import Monitoring, MonitoringArgs
from infra.network import Network, NetworkArgs
from infra.queues import Queues, QueuesArgs
from infra.registry import Registry, RegistryArgs
from infra.settings import Settings
from infra.table_scaling import Capacity
from infra.tables import Tables, TablesArgs
from infra.vault import Vault, VaultArgs
from infra.workspaces import Workspaces, WorkspacesArgs
from outpost.agents import AGENTS
from outpost.names import (
    CONTROL_PLANE_FAMILY,
    CONTROL_PLANE_LOG_GROUP,
    CONTROL_PLANE_PORT,
    PUBLIC_URL,
    SERVICE,
    Names,
    family,
    log_group,
)
from runbooks.alarms import every as every_alarm

ARTIFACT_DAYS = 90
ACCESS_LOG_DAYS = 90

settings = Settings.of_stack()
names = Names(settings.stack, settings.bucket_suffix)
# The one provider: every resource gets its region and its tags from here.
provider = aws.Provider(
    "aws",
    region=settings.region,
    default_tags=aws.ProviderDefaultTagsArgs(
        tags={"outpost:stack": settings.stack, "outpost:managed-by": "pulumi"}
    ),
)
opts = ResourceOptions(providers=[provider])
account = Account.of(provider, settings.region)
protect = settings.deletion_protection
key = EncryptionKey("key", EncryptionKeyArgs(names=names, account=account, protect=protect), opts)
data_key = key.arn if settings.customer_managed_key else None

network = Network(
    "network",
    NetworkArgs(
        name=names.cluster,
        region=settings.region,
        cidr=settings.vpc_cidr,
        zones=settings.zones,
        private_prefix=settings.private_subnet_prefix,
        nat_per_zone=settings.nat_gateways == "per-zone",
    ),
    opts,
)
firewall = Firewall(
    "firewall",
    FirewallArgs(
        names=names,
        vpc_id=network.vpc_id,
        public_ports=[HTTP, HTTPS] if settings.certificate_arn else [HTTP],
        worker_egress_ports=settings.worker_egress_ports,
    ),
    opts,
)
if settings.interface_endpoints:
    Endpoints(
        "endpoints",
        EndpointsArgs(
            names=names,
            region=settings.region,
            vpc_id=network.vpc_id,
            subnet_ids=network.private_subnet_ids,
            callers={"control-plane": firewall.control_plane, "worker": firewall.worker},
        ),
        opts,
    )
if settings.flow_logs:
    FlowLogs(
        "flow-logs",
        FlowLogsArgs(
            names=names,
            account=account,
            vpc_id=network.vpc_id,
            retention_days=settings.log_retention_days,
            key_arn=data_key,
        ),
        opts,
    )
registry = Registry(
    "registry", RegistryArgs(tag=settings.image_tag, force_delete=not protect, key_arn=data_key), opts
)
capacity = (
    Capacity(minimum=settings.table_capacity_minimum, maximum=settings.table_capacity_maximum)
    if settings.table_capacity == "provisioned"
    else None
)
tables = Tables("tables", TablesArgs(names=names, protect=protect, capacity=capacity, key_arn=data_key), opts)
access_logs = (
    PrivateBucket(
        "access-logs",
        BucketArgs(
            bucket_name=names.logs_bucket,
            protect=protect,
            expire_days=ACCESS_LOG_DAYS,
            allow=log_writers(account),
            # Without a key: load balancers write to buckets with S3's own encryption only.
        ),
        opts,
    )
    if settings.access_logs
    else None
)
log_bucket = access_logs.bucket_name if access_logs else None
artifacts = PrivateBucket(
    "artifacts",
    BucketArgs(
        bucket_name=names.artifacts_bucket,
        protect=protect,
        expire_days=ARTIFACT_DAYS,
        key_arn=data_key,
        log_bucket=log_bucket,
    ),
    opts,
)
workspaces = Workspaces(
    "workspaces",
    WorkspacesArgs(
        names=names,
        account=account,
        subnet_ids=network.private_subnet_ids,
        security_group_id=firewall.file_system,
        tenants=settings.persistent_tenants,
        protect=protect,
        key_arn=data_key,
    ),
    opts,
)
vault = Vault("vault", VaultArgs(recovery_days=30 if protect else 0, key_arn=data_key), opts)
cluster = Cluster("cluster", ClusterArgs(names=names, vpc_id=network.vpc_id), opts)
queues = Queues("queues", QueuesArgs(names=names, cluster_arn=cluster.arn, key_arn=data_key), opts)
load_balancer = LoadBalancer(
    "load-balancer",
    LoadBalancerArgs(
        names=names,
        vpc_id=network.vpc_id,
        subnet_ids=network.public_subnet_ids,
        security_group_id=firewall.load_balancer,
        protect=protect,
        certificate_arn=settings.certificate_arn,
        domain=settings.domain_name,
        zone_id=settings.hosted_zone_id,
        log_bucket=log_bucket,
    ),
    opts,
)
control_url = f"http://{cluster.control_plane_host}:{CONTROL_PLANE_PORT}"
agents = {
    agent: AgentTask(
        f"agent-{agent}",
        AgentTaskArgs(
            spec=spec,
            names=names,
            account=account,
            image=registry.image(family(agent)),
            architecture=settings.architecture,
            repository_arn=registry.repositories[family(agent)].arn,
            secret_arn=vault.agents[agent],
            control_url=control_url,
            log_retention_days=settings.log_retention_days,
            file_system_id=workspaces.file_system_id,
            tenants=workspaces.mounts,
            key_arn=data_key,
        ),
        opts,
    )
    for agent, spec in AGENTS.items()
}
control_plane = ControlPlane(
    "control-plane",
    ControlPlaneArgs(
        names=names,
        account=account,
        image=registry.image(CONTROL_PLANE_FAMILY),
        architecture=settings.architecture,
        repository_arn=registry.repositories[CONTROL_PLANE_FAMILY].arn,
        cluster_arn=cluster.arn,
        registry_arn=cluster.registry_arn,
        subnet_ids=network.private_subnet_ids,
        security_group_id=firewall.control_plane,
        target_group_arn=load_balancer.target_group_arn,
        replicas=settings.replicas,
        replicas_maximum=settings.replicas_maximum,
        log_retention_days=settings.log_retention_days,
        token_key_arn=vault.worker_token_key,
        key_arn=data_key,
        policies={
            "s3-access": may.artifacts(artifacts.arn),
            "dynamodb-access": may.tables(tables.arns, tables.audit.arn),
            "queue-access": may.queues(queues.launch.arn, queues.events.arn),
            "task-access": may.tasks(
                account,
                names.cluster,
                SERVICE,
                [family for task in agents.values() for family in task.families],
                [
                    *(task.execution_role_arn for task in agents.values()),
                    *(mount.role_arn for mount in workspaces.mounts.values()),
                ],
            ),
            "log-access": may.agents_logs([task.log_group.arn for task in agents.values()]),
            "secret-access": may.secrets(list(vault.agents.values()), vault.github),
            **({"key-access": may.key(data_key, settings.region)} if data_key is not None else {}),
        },
        environment={
            **tables.environment(),
            "S3_ARTIFACTS_BUCKET": artifacts.bucket_name,
            "LAUNCH_QUEUE_URL": queues.launch.url,
            "EVENTS_QUEUE_URL": queues.events.url,
            "WORKER_SUBNETS": pulumi.Output.all(*network.private_subnet_ids).apply(",".join),
            "WORKER_SECURITY_GROUP": firewall.worker,
            "CONTROL_PLANE_URL": control_url,
            PUBLIC_URL: load_balancer.url,
            "LOG_LEVEL": settings.log_level,
            **({"WARM_POOL": settings.warm_pool} if settings.warm_pool else {}),
            **(
                {"PERSISTENT_TENANTS": ",".join(settings.persistent_tenants)}
                if settings.persistent_tenants
                else {}
            ),
            "TENANT_MAX_ACTIVE": str(settings.tenant_maximum_active),
            "TENANT_MAX_PER_DAY": str(settings.tenant_maximum_per_day),
            "KEY_REQUESTS_PER_MINUTE": str(settings.key_requests_per_minute),
        },
    ),
    opts,
    after=[load_balancer.listener],
)

Monitoring(
    "monitoring",
    MonitoringArgs(
        names=names,
        account=account,
        key_arn=key.arn,
        email=settings.alarm_email,
        declared=every_alarm(),
        load_balancer=load_balancer.arn_suffix,
        target_group=load_balancer.target_group_arn_suffix,
        file_system_id=workspaces.file_system_id,
        cluster_arn=cluster.arn,
        log_groups={
            CONTROL_PLANE_LOG_GROUP: control_plane.log_group.name,
            **{log_group(agent): task.log_group.name for agent, task in agents.items()},
        },
    ),
    opts,
)

pulumi.export("url", load_balancer.url)
pulumi.export("cluster", cluster.cluster_name)
pulumi.export("service", control_plane.service_name)
pulumi.export("artifactsBucket", artifacts.bucket_name)
pulumi.export("repositories", {name: r.repository_url for name, r in registry.repositories.items()})
if settings.github_repository:
    deployer = Deployer(
        "deployer",
        DeployerArgs(names=names, account=account, repository=settings.github_repository),
        opts,
    )
    pulumi.export("deployRoleArn", deployer.deploy_role_arn)
    pulumi.export("previewRoleArn", deployer.preview_role_arn)
