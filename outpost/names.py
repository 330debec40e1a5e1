"""Every name that more than one part, the guide or an operator uses, made in one place."""

import re
from dataclasses import dataclass

from outpost.agents import AGENTS, Agent
from outpost.errors import OutpostError

REGION = "us-east-1"
PROFILE = "soc"
SERVICE = "outpost-control-plane"
CONTROL_PLANE_FAMILY = "outpost-control-plane"
CONTROL_PLANE_LOG_GROUP = "/ecs/outpost-control-plane"
CONTROL_PLANE_CONTAINER = "control-plane"
WORKER_CONTAINER = "worker"
CONTROL_PLANE_PORT = 8080
TASK_ROLE = "outpost-ecs-task-role"
TASK_ROLE_POLICY = "s3-access"
PUBLIC_URL = "PUBLIC_URL"  # in the control plane's environment: where clients find the API
GITHUB_SECRET = "outpost/github"  # noqa: S105 - the name of a secret, not a secret
WORKER_TOKEN_SECRET = "outpost/control-plane/worker-token-key"  # noqa: S105 - a name
VCPU_QUOTA_CODE = "L-3032A538"
NFS_PORT = 2049

# What a worker leaves behind, each under `DISPATCH_ID/` in the artifacts bucket.
ARTIFACTS = ("output.log", "changes.patch", "changes.bundle", "result.json")
MANIFEST = "manifest.json"

# Load balancers' names have 32 characters at most, and `outpost-control-plane-` takes 22 of them.
_STACK = re.compile(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?")


def family(agent: Agent) -> str:
    """The agent's task definition family and image repository."""
    return f"outpost-{agent}"


def log_group(agent: Agent) -> str:
    """The agent's log group."""
    return f"/ecs/outpost-{agent}"


def agent_secret(agent: Agent) -> str:
    """The secret that holds the agent's API key."""
    return f"outpost/agents/{AGENTS[agent].provider}"


@dataclass(frozen=True)
class Names:
    """The names of one stack. Raises `OutpostError` (`invalid-stack`) for a name AWS would not take."""

    stack: str
    bucket_suffix: str = ""

    def __post_init__(self) -> None:
        if not _STACK.fullmatch(self.stack):
            raise OutpostError(
                "invalid-stack",
                f"{self.stack!r} is not a stack name.",
                remedy="Use 1 to 10 lower-case letters, digits and inner hyphens, starting with a letter.",
            )

    @property
    def cluster(self) -> str:
        return f"outpost-{self.stack}"

    @property
    def load_balancer(self) -> str:
        return f"outpost-control-plane-{self.stack}"

    @property
    def jobs_table(self) -> str:
        return f"outpost-jobs-{self.stack}"

    @property
    def api_keys_table(self) -> str:
        return f"outpost-api-keys-{self.stack}"

    @property
    def audit_table(self) -> str:
        return f"outpost-audit-{self.stack}"

    @property
    def workspaces_table(self) -> str:
        return f"outpost-workspaces-{self.stack}"

    @property
    def artifacts_bucket(self) -> str:
        return f"outpost-artifacts-{self.stack}{self.bucket_suffix}"

    @property
    def logs_bucket(self) -> str:
        """Where the load balancer's and the artifacts bucket's access logs go."""
        return f"outpost-logs-{self.stack}{self.bucket_suffix}"

    @property
    def launch_queue(self) -> str:
        return f"outpost-launch-{self.stack}"

    @property
    def launch_dead_letter_queue(self) -> str:
        return f"outpost-launch-dlq-{self.stack}"

    @property
    def events_queue(self) -> str:
        return f"outpost-task-events-{self.stack}"

    @property
    def events_dead_letter_queue(self) -> str:
        return f"outpost-task-events-dlq-{self.stack}"

    @property
    def events_rule(self) -> str:
        return f"outpost-task-state-{self.stack}"

    @property
    def namespace(self) -> str:
        """The private DNS namespace in which workers find the control plane."""
        return f"outpost-{self.stack}.internal"

    @property
    def worker_security_group(self) -> str:
        return f"outpost-worker-{self.stack}"

    @property
    def control_plane_security_group(self) -> str:
        return f"outpost-control-plane-{self.stack}"

    @property
    def load_balancer_security_group(self) -> str:
        return f"outpost-alb-{self.stack}"

    @property
    def file_system_security_group(self) -> str:
        return f"outpost-efs-{self.stack}"

    @property
    def endpoint_security_group(self) -> str:
        return f"outpost-endpoints-{self.stack}"

    @property
    def flow_log_group(self) -> str:
        return f"/vpc/outpost-{self.stack}"

    @property
    def alarm_topic(self) -> str:
        return f"outpost-alarms-{self.stack}"

    @property
    def dashboard(self) -> str:
        return f"outpost-{self.stack}"

    @property
    def key_alias(self) -> str:
        return f"alias/outpost-{self.stack}"

    @property
    def file_system(self) -> str:
        """The EFS file system's creation token and Name tag."""
        return f"outpost-workspaces-{self.stack}"
