"""The worker's settings, parsed once from the environment of its container."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from outpost import worker_protocol
from outpost.agents import AGENTS, Agent, AgentSpec
from outpost.errors import OutpostError

# Hosts that may be given the git token. A tenant chooses the repository's URL; the token must not follow it
# to a host of the tenant's own.
DEFAULT_GIT_HOSTS = ("github.com",)

LOCAL_REGION = "OUTPOST_LOCAL_REGION"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the control plane is, which attempt this is, and what the container offers.

    `work_directory` holds everything that this dispatch writes. `workspace_directory` is where the tenant's
    file system is mounted in persistent mode, or None. `memory_mib` bounds the agent's process tree.
    """

    agent: Agent
    control_url: str
    dispatch_id: str  # "" for an idle worker of the warm pool
    attempt: int
    pool_slot: str = ""
    token: str = field(repr=False)
    api_key: str = field(repr=False, default="")
    work_directory: Path
    workspace_directory: Path | None = None
    memory_mib: int
    agent_user: str = "outpost"
    git_hosts: tuple[str, ...] = DEFAULT_GIT_HOSTS
    local_region: bool = False
    rehearsal: bool = False

    @property
    def spec(self) -> AgentSpec:
        return AGENTS[self.agent]

    @classmethod
    def parse(cls, environ: Mapping[str, str]) -> "Settings":
        """Raise `OutpostError` (`missing-environment`, `invalid-environment`) naming the variable."""
        agent = _agent(_required(environ, worker_protocol.AGENT))
        local_region = environ.get(LOCAL_REGION) == "1"
        workspace = environ.get("OUTPOST_WORKSPACE_DIR", "")
        pool_slot = environ.get(worker_protocol.POOL_SLOT, "").strip()
        return cls(
            agent=agent,
            control_url=_required(environ, worker_protocol.CONTROL_URL).rstrip("/"),
            dispatch_id="" if pool_slot else _required(environ, worker_protocol.DISPATCH_ID),
            pool_slot=pool_slot,
            attempt=_integer(environ, worker_protocol.ATTEMPT, 1),
            token=_required(environ, worker_protocol.TOKEN),
            api_key=environ.get(AGENTS[agent].key_variable, "").strip(),
            work_directory=Path(environ.get("OUTPOST_WORK_DIR", "") or Path.cwd() / "dispatch"),
            workspace_directory=Path(workspace) if workspace else None,
            memory_mib=_integer(environ, "OUTPOST_MEMORY_MIB", AGENTS[agent].tier.memory),
            agent_user=environ.get("OUTPOST_AGENT_USER", "outpost"),
            git_hosts=tuple(filter(None, environ.get("OUTPOST_GIT_HOSTS", "").split(",")))
            or DEFAULT_GIT_HOSTS,
            local_region=local_region,
            # A stand-in for the agent's CLI, and only where there is no AWS: see worker/rehearsal.py.
            rehearsal=local_region and environ.get("OUTPOST_REAL_AGENT") != "1",
        )


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise OutpostError("missing-environment", f"{name} not set", remedy="The task definition sets it.")
    return value


def _agent(name: str) -> Agent:
    try:
        return Agent(name)
    except ValueError:
        raise OutpostError(
            "invalid-environment",
            f"{worker_protocol.AGENT} is {name!r}, which is no agent.",
            remedy=f"Use one of {', '.join(Agent)}.",
        ) from None


def _integer(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, "").strip() or str(default)
    if not value.isdigit() or int(value) < 1:
        raise OutpostError(
            "invalid-environment", f"{name} is {value!r}.", remedy="Use a whole number above 0."
        )
    return int(value)
