"""Agent timeout: the agent ran until its deadline."""

from __future__ import annotations

from typing import Any

from outpost.agents import AGENTS
from runbooks.agent_reasons import judgement, unchanged, unresolved
from runbooks.alarms import LogAlarm
from runbooks.egress import blocked_routes
from runbooks.model import Judgement, Runbook, Severity
from runbooks.observations import Region
from runbooks.observations.dispatches import Job

RUNBOOK = Runbook(
    issue="agent-timeout",
    title="Agent timeout",
    section="Workers and agents",
    symptoms=("Status: TIMEOUT", "Task ran for full timeout duration", "No output produced"),
    alarm=LogAlarm(
        log_group="/ecs/outpost-control-plane",
        pattern='{ $.event = "dispatch-ended" && $.status = "TIMEOUT" }',
        threshold=3,
    ),
    severity=Severity.CALLER,
)

ISSUE = RUNBOOK.issue
SHORTEST, LONGEST, USUAL = 30, 86_400, 600  # seconds that a dispatch may be given, and gets unasked


def _timeout(job: Job) -> int:
    return int(job.raw.get("timeoutSeconds") or USUAL)


@RUNBOOK.cause(
    "task-too-complex",
    guide="Task too complex",
    solution="Break into smaller tasks.",
    steps="Dispatch its parts one by one, or raise `timeoutSeconds` (86400 at most).",
)
def task_too_complex(region: Region) -> Judgement:
    """The agent was still making progress at its deadline."""
    return judgement(
        region,
        unresolved(region, ISSUE, "task-too-complex"),
        "no dispatch ran out of time while it made progress",
        inferred="inferred: different steps up to the deadline, no error; the agent may as well be slow",
        again=lambda job: {"timeoutSeconds": min(LONGEST, 2 * _timeout(job))},
    )


@RUNBOOK.cause(
    "model-rate-limited",
    guide="Model rate limiting",
    solution="Add retry logic, use different agent.",
    steps="Dispatch to another agent, or ask the provider for higher limits on this key.",
)
def model_rate_limited(region: Region) -> Judgement:
    """The model's provider answered 429 until the deadline."""
    jobs = unresolved(region, ISSUE, "model-rate-limited")
    return judgement(region, jobs, "no agent was rate limited until its deadline", again=_another_agent)


def _another_agent(job: Job) -> dict[str, Any]:
    """The next agent in the list, with its own default model."""
    others = [agent for agent in AGENTS if agent != job.agent]
    return {"agent": str(others[0]), "model": None}


@RUNBOOK.cause(
    "network-unreachable",
    guide="Network issues",
    solution="Check VPC NAT gateway.",
    steps=(
        "See dispatch-stuck-pending/egress-blocked; when that is OK, check the VPC's DNS settings and the "
        "provider's status page."
    ),
    severity=Severity.DISPATCHES,
)
def network_unreachable(region: Region) -> Judgement:
    """The agent's connections to the internet timed out."""
    jobs = unresolved(region, ISSUE, "network-unreachable")
    also = tuple(blocked_routes(region)) if jobs else ()
    return judgement(region, jobs, "no agent's connections timed out", also=also)


@RUNBOOK.cause(
    "no-progress-loop",
    guide="Infinite loop",
    solution="Add task complexity limits.",
    steps=(
        "Read the last steps in output.log, say in the task when it is done, and set a lower "
        "`timeoutSeconds`."
    ),
)
def no_progress_loop(region: Region) -> Judgement:
    """The agent repeated the same steps until its deadline."""
    return judgement(
        region,
        # Gemini's CLI sees a loop by itself, and ends as if all were well.
        unresolved(region, ISSUE, "no-progress-loop") + unchanged(region, "no-progress-loop"),
        "no agent repeated the same steps until its deadline",
        inferred="inferred: one tool call makes up most of its last steps; each may have had a reason",
        again=lambda job: {"timeoutSeconds": max(SHORTEST, _timeout(job) // 2)},
    )
