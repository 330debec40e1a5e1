"""The settings, parsed once from the environment that the task definition gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from outpost.agents import Agent
from outpost.errors import OutpostError
from service.domain.keys import Limits
from service.domain.policy import Policy
from service.domain.pool import MAX_PER_AGENT

RUNBOOK = "health-check-failing/missing-environment"
LOCAL_REGION = "OUTPOST_LOCAL_REGION"
PERSISTENT_TENANTS = "PERSISTENT_TENANTS"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that differs between stacks. Frozen: whoever needs one is given it."""

    stack: str
    region: str
    cluster: str
    jobs_table: str
    api_keys_table: str
    audit_table: str
    workspaces_table: str
    artifacts_bucket: str
    launch_queue_url: str
    events_queue_url: str
    worker_subnets: tuple[str, ...]
    worker_security_group: str
    control_plane_url: str
    worker_token_key: str = field(repr=False)
    host: str = "0.0.0.0"  # noqa: S104 - a container behind the load balancer
    port: int = 8080
    keep_alive_seconds: int = 75  # longer than the load balancer's idle timeout of 60
    log_level: str = "info"
    github_api_url: str = "https://api.github.com"
    github_url: str = "https://github.com"
    local_region: bool = False
    launches_per_second: int = 20  # Fargate RunTask, sustained, per account and region; AWS can raise it
    warm_pool: Mapping[Agent, int] = field(default_factory=dict)  # idle workers to keep, per agent
    persistent_tenants: frozenset[str] = frozenset()  # those with an access point and task definitions
    limits: Limits = field(default_factory=Limits)
    policy: Policy = field(default_factory=Policy)


def _missing(name: str) -> OutpostError:
    return OutpostError(
        "missing-environment",
        f"{name} is not set.",
        remedy=f"Add it to the control plane's task definition (runbook {RUNBOOK}).",
    )


def _integer(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isdigit() or int(text) < 1:
        raise OutpostError(
            "invalid-environment",
            f"{name} is {text!r}, not a positive number.",
            remedy=f"Correct it in the control plane's task definition (runbook {RUNBOOK}).",
        )
    return int(text)


def _warm_pool(environment: Mapping[str, str]) -> dict[Agent, int]:
    """`claude=2,aider=1`: how many idle workers to keep; none by default."""
    sizes: dict[Agent, int] = {}
    for part in filter(None, environment.get("WARM_POOL", "").replace(" ", "").split(",")):
        name, _, size = part.partition("=")
        if name not in list(Agent) or not size.isdigit() or int(size) > MAX_PER_AGENT:
            raise OutpostError(
                "invalid-environment",
                f"WARM_POOL has {part!r}.",
                remedy=f"Use AGENT=NUMBER with at most {MAX_PER_AGENT} each, such as claude=2,aider=1.",
            )
        sizes[Agent(name)] = int(size)
    return sizes


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings. Raises `OutpostError` that names the first variable that is missing or wrong."""

    def required(name: str) -> str:
        value = environment.get(name, "").strip()
        if not value:
            raise _missing(name)
        return value

    defaults, policy = Limits(), Policy()
    return Settings(
        stack=required("OUTPOST_STACK"),
        region=required("AWS_REGION"),
        cluster=required("ECS_CLUSTER"),
        jobs_table=required("JOBS_TABLE"),
        api_keys_table=required("API_KEYS_TABLE"),
        audit_table=required("AUDIT_TABLE"),
        workspaces_table=required("WORKSPACES_TABLE"),
        artifacts_bucket=required("S3_ARTIFACTS_BUCKET"),
        launch_queue_url=required("LAUNCH_QUEUE_URL"),
        events_queue_url=required("EVENTS_QUEUE_URL"),
        worker_subnets=tuple(part.strip() for part in required("WORKER_SUBNETS").split(",") if part.strip()),
        worker_security_group=required("WORKER_SECURITY_GROUP"),
        control_plane_url=required("CONTROL_PLANE_URL"),
        worker_token_key=required("WORKER_TOKEN_KEY"),
        host=environment.get("HOST") or "0.0.0.0",  # noqa: S104 - as above
        port=_integer(environment, "PORT", 8080),
        keep_alive_seconds=_integer(environment, "KEEP_ALIVE_SECONDS", 75),
        log_level=environment.get("LOG_LEVEL") or "info",
        github_api_url=(environment.get("GITHUB_API_URL") or "https://api.github.com").rstrip("/"),
        github_url=(environment.get("GITHUB_URL") or "https://github.com").rstrip("/"),
        local_region=environment.get(LOCAL_REGION) == "1",
        launches_per_second=_integer(environment, "LAUNCHES_PER_SECOND", 20),
        warm_pool=_warm_pool(environment),
        persistent_tenants=frozenset(filter(None, environment.get(PERSISTENT_TENANTS, "").split(","))),
        limits=Limits(
            max_active=_integer(environment, "TENANT_MAX_ACTIVE", defaults.max_active),
            max_per_day=_integer(environment, "TENANT_MAX_PER_DAY", defaults.max_per_day),
            requests_per_minute=_integer(
                environment, "KEY_REQUESTS_PER_MINUTE", defaults.requests_per_minute
            ),
        ),
        policy=Policy(max_pending=_integer(environment, "MAX_PENDING_SECONDS", int(policy.max_pending))),
    )
