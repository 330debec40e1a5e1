"""The agents that Outpost runs and the tiers that size their containers.

Memory is the guide's recommendation ("Memory Pressure"); the CPU and memory pairs, and the range of
ephemeral storage, are Fargate's ("Task CPU and memory" in the Amazon ECS developer guide).
"""

from dataclasses import dataclass
from enum import StrEnum

from outpost.errors import OutpostError

# Fargate: CPU units -> memory sizes in MiB that may go with them (Linux).
FARGATE_MEMORY: dict[int, range | tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}
DEFAULT_STORAGE_GIB = 20  # what a Fargate task has when no ephemeral storage is set
STORAGE_GIB = range(21, 200 + 1)  # what may be set


class Agent(StrEnum):
    """A coding agent, by the name that the API, the task definition family and the log group use."""

    CLAUDE = "claude"
    CODEX = "codex"
    GEMINI = "gemini"
    AIDER = "aider"
    GROK = "grok"


@dataclass(frozen=True, kw_only=True)
class Tier:
    """A container size: CPU in units (1024 = 1 vCPU), memory in MiB, ephemeral storage in GiB."""

    name: str
    cpu: int
    memory: int
    storage: int = DEFAULT_STORAGE_GIB

    def __post_init__(self) -> None:
        """Raise `OutpostError` (`invalid-tier`) for a size that Fargate does not offer."""
        sizes = FARGATE_MEMORY.get(self.cpu)
        if sizes is None:
            raise OutpostError(
                "invalid-tier",
                f"tier {self.name}: {self.cpu} CPU units is not a Fargate size.",
                remedy=f"Use one of {', '.join(map(str, FARGATE_MEMORY))}.",
            )
        if self.memory not in sizes:
            raise OutpostError(
                "invalid-tier",
                f"tier {self.name}: {self.memory} MiB does not go with {self.cpu} CPU units on Fargate.",
                remedy=f"Use one of {', '.join(map(str, sizes))}.",
            )
        if self.storage != DEFAULT_STORAGE_GIB and self.storage not in STORAGE_GIB:
            raise OutpostError(
                "invalid-tier",
                f"tier {self.name}: {self.storage} GiB of ephemeral storage is out of range.",
                remedy=f"Use {STORAGE_GIB.start} to {STORAGE_GIB.stop - 1} GiB, or leave it out for "
                f"{DEFAULT_STORAGE_GIB}.",
            )


CONTROL_PLANE = Tier(name="control-plane", cpu=512, memory=2048)
FLAGSHIP = Tier(name="flagship", cpu=2048, memory=8192)
BALANCED = Tier(name="balanced", cpu=1024, memory=4096)
FAST = Tier(name="fast", cpu=512, memory=2048)


@dataclass(frozen=True, kw_only=True)
class AgentSpec:
    """What differs between agents outside of their command lines.

    `provider` names the secret `outpost/agents/PROVIDER`; `key_variable` is the environment variable
    in which the agent's CLI looks for that key.
    """

    agent: Agent
    tier: Tier
    provider: str
    key_variable: str


AGENTS: dict[Agent, AgentSpec] = {
    spec.agent: spec
    for spec in (
        AgentSpec(agent=Agent.CLAUDE, tier=FLAGSHIP, provider="anthropic", key_variable="ANTHROPIC_API_KEY"),
        AgentSpec(agent=Agent.CODEX, tier=BALANCED, provider="openai", key_variable="OPENAI_API_KEY"),
        AgentSpec(agent=Agent.GEMINI, tier=BALANCED, provider="google", key_variable="GEMINI_API_KEY"),
        AgentSpec(agent=Agent.AIDER, tier=FAST, provider="deepseek", key_variable="DEEPSEEK_API_KEY"),
        AgentSpec(agent=Agent.GROK, tier=FAST, provider="xai", key_variable="XAI_API_KEY"),
    )
}
