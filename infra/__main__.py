"""The Pulumi program: the components of a stack, wired together. `pulumi up` runs this directory."""

import sys
from pathlib import Path

# Pulumi puts this directory on the path; what it imports are packages of the directory above.
sys.path[:] = [str(Path(__file__).resolve().parents[1])] + [
    entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent
]

import pulumi  # noqa: E402
import pulumi_aws as aws  # noqa: E402
from pulumi import ResourceOptions  # noqa: E402

from infra import control_plane_policies as may  # noqa: E402
from infra.account import Account  # noqa: E402
from infra.agent_task import AgentTask, AgentTaskArgs  # noqa: E402
from infra.bucket import BucketArgs, PrivateBucket  # noqa: E402
from infra.cluster import Cluster, ClusterArgs  # noqa: E402
from infra.control_plane import ControlPlane, ControlPlaneArgs  # noqa: E402
from infra.firewall import HTTP, Firewall, FirewallArgs  # noqa: E402
from infra.load_balancer import LoadBalancer, LoadBalancerArgs  # noqa: E402
from infra.network import Network, NetworkArgs  # noqa: E402
from infra.queues import Queues, QueuesArgs  # noqa: E402
from infra.registry import Registry, RegistryArgs  # noqa: E402
from infra.settings import Settings  # noqa: E402
from infra.tables import Tables, TablesArgs  # noqa: E402
from infra.vault import Vault, VaultArgs  # noqa: E402
from infra.workspaces import Workspaces, WorkspacesArgs  # noqa: E402
from outpost.agents import AGENTS  # noqa: E402
from outpost.names import CONTROL_PLANE_FAMILY, CONTROL_PLANE_PORT, SERVICE, Names, family  # noqa: E402

ARTIFACT_DAYS = 90

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
        public_ports=[HTTP],
        worker_egress_ports=settings.worker_egress_ports,
    ),
    opts,
)
registry = Registry(
    "registry",
    RegistryArgs(tag=settings.image_tag, force_delete=not settings.deletion_protection),
    opts,
)
tables = Tables("tables", TablesArgs(names=names, protect=settings.deletion_protection), opts)
artifacts = PrivateBucket(
    "artifacts",
    BucketArgs(
        bucket_name=names.artifacts_bucket,
        protect=settings.deletion_protection,
        expire_days=ARTIFACT_DAYS,
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
        protect=settings.deletion_protection,
    ),
    opts,
)
vault = Vault("vault", VaultArgs(recovery_days=30 if settings.deletion_protection else 0), opts)
cluster = Cluster("cluster", ClusterArgs(names=names, vpc_id=network.vpc_id), opts)
queues = Queues("queues", QueuesArgs(names=names, cluster_arn=cluster.arn), opts)
load_balancer = LoadBalancer(
    "load-balancer",
    LoadBalancerArgs(
        names=names,
        vpc_id=network.vpc_id,
        subnet_ids=network.public_subnet_ids,
        security_group_id=firewall.load_balancer,
        protect=settings.deletion_protection,
    ),
    opts,
)
control_url = f"http://{cluster.control_plane_host}:{CONTROL_PLANE_PORT}"
agents = [
    AgentTask(
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
        ),
        opts,
    )
    for agent, spec in AGENTS.items()
]
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
        policies={
            "s3-access": may.artifacts(artifacts.arn),
            "dynamodb-access": may.tables(tables.arns),
            "queue-access": may.queues(queues.launch.arn, queues.events.arn),
            "task-access": may.tasks(
                account,
                names.cluster,
                SERVICE,
                [family for agent in agents for family in agent.families],
                [
                    *(agent.execution_role_arn for agent in agents),
                    *(mount.role_arn for mount in workspaces.mounts.values()),
                ],
            ),
            "log-access": may.agents_logs([agent.log_group_arn for agent in agents]),
            "secret-access": may.secrets(list(vault.agents.values()), vault.github),
        },
        environment={
            **tables.environment(),
            "S3_ARTIFACTS_BUCKET": artifacts.bucket_name,
            "LAUNCH_QUEUE_URL": queues.launch.url,
            "EVENTS_QUEUE_URL": queues.events.url,
            "WORKER_SUBNETS": pulumi.Output.all(*network.private_subnet_ids).apply(",".join),
            "WORKER_SECURITY_GROUP": firewall.worker,
            "CONTROL_PLANE_URL": control_url,
            "LOG_LEVEL": settings.log_level,
        },
    ),
    opts,
    after=[load_balancer.listener],
)

pulumi.export("apiUrl", load_balancer.url)
pulumi.export("clusterName", cluster.cluster_name)
pulumi.export("serviceName", control_plane.service_name)
pulumi.export("artifactsBucket", artifacts.bucket_name)
pulumi.export("repositories", {name: r.repository_url for name, r in registry.repositories.items()})
