"""Memory pressure: containers below the recommended memory are killed."""

from __future__ import annotations

from functools import partial

from outpost.agents import AGENTS, BALANCED, CONTROL_PLANE, FAST, FLAGSHIP, Agent, Tier
from runbooks.agent_reasons import unresolved
from runbooks.alarms import EventAlarm, MetricAlarm
from runbooks.definitions import deploy, next_memory, register, with_memory
from runbooks.looking import Absent
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, warn
from runbooks.observations import Region
from runbooks.observations.shapes import Definition
from runbooks.remedies import Plan
from runbooks.rolled_back import also_rolled_back

RUNBOOK = Runbook(
    issue="memory-pressure",
    title="Memory pressure",
    section="Performance",
    symptoms=("OOM kills (exit code 137)", "Task restarts frequently"),
    alarm=MetricAlarm(
        namespace="AWS/ECS",
        metric="MemoryUtilization",
        statistic="Maximum",
        threshold=90,
        evaluation_periods=3,
        dimensions=(("ClusterName", "{cluster}"), ("ServiceName", "{service}")),
    ),
    further={
        # Agents belong to no service, so their memory is in no metric: what tells of it is that it ran out.
        "out-of-memory": EventAlarm(
            event_pattern={
                "source": ["aws.ecs"],
                "detail-type": ["ECS Task State Change"],
                "detail": {
                    "lastStatus": ["STOPPED"],
                    "containers": {"reason": [{"prefix": "OutOfMemory"}]},
                },
            },
            reason="$.detail.containers[0].reason",
        ),
    },
    severity=Severity.DEGRADED,
)

PRESSURE = 90  # percent of the task's memory, as the alarm has it
RECENT = 5  # newest points of the metric that count


def _small(definition: Definition, tier: Tier) -> Evidence:
    return Evidence(
        "ecs:DescribeTaskDefinition", definition.name, f"{definition.memory} MB", f"{tier.memory} MB"
    )


def _enlarge_control_plane(region: Region) -> Plan | None:
    return deploy(region, with_memory(region.containers.definition(), CONTROL_PLANE.memory))


@RUNBOOK.cause(
    "control-plane-undersized",
    guide="Control plane: 1024 MB",
    solution="2048 MB recommended.",
    severity=Severity.PLATFORM,
    explains=("health-check-failing/memory-exhausted", "control-plane-not-starting/out-of-memory"),
    remedy=_enlarge_control_plane,
)
@also_rolled_back
def control_plane_undersized(region: Region) -> Judgement:
    """The control plane has less memory than recommended."""
    definition = region.containers.definition()
    if definition.memory >= CONTROL_PLANE.memory:
        return ok(f"{definition.name} has {definition.memory} MB")
    small = _small(definition, CONTROL_PLANE)
    killed = [
        Evidence(
            "ecs:DescribeTasks",
            f"task {task.id}",
            f"exit {task.exit_code}, {task.reason or task.stopped_reason}",
            "no kill for memory",
        )
        for task in region.containers.stopped()
        if task.out_of_memory
    ]
    used = region.metrics.series("memory").values[-RECENT:]
    if used and max(used) >= PRESSURE:
        killed.append(
            Evidence(
                "cloudwatch:GetMetricData",
                "AWS/ECS MemoryUtilization",
                f"{max(used):.0f} % of {definition.memory} MB",
                f"below {PRESSURE} %",
            )
        )
    if killed:
        return fail(f"{definition.name} has {definition.memory} MB, and needs more", small, *killed[:3])
    return warn(f"{definition.name} has {definition.memory} MB; nothing was killed for it yet", small)


def _agents(tier: Tier) -> list[Agent]:
    return [agent for agent, spec in AGENTS.items() if spec.tier is tier]


def _definitions(region: Region, tier: Tier) -> list[Definition]:
    found = []
    for agent in _agents(tier):
        try:
            found.append(region.containers.agent_definition(agent))
        except Absent:
            continue  # dispatch-stuck-pending/task-definition-missing tells it
    return found


def _judge(region: Region, tier: Tier) -> Judgement:
    definitions = _definitions(region, tier)
    small = [definition for definition in definitions if definition.memory < tier.memory]
    killed = [
        Evidence("dynamodb:Query", f"dispatch {job.id}", f"{job.agent}: {words}", "within its memory")
        for job, words in unresolved(region, RUNBOOK.issue, f"{tier.name}-undersized")[:3]
    ]
    if small:
        names = ", ".join(f"{definition.name} has {definition.memory} MB" for definition in small)
        evidence = (*(_small(definition, tier) for definition in small), *killed)
        return (
            fail(names, *evidence) if killed else warn(f"{names}; nothing was killed for it yet", *evidence)
        )
    if killed:
        return warn(
            f"{len(killed)} dispatch(es) ran out of memory at the recommended {tier.memory} MB", *killed
        )
    return ok(f"{', '.join(_agents(tier))}: {tier.memory} MB or more")


def _enlarge(region: Region, tier: Tier) -> Plan | None:
    """The recommended memory; or, where that was not enough, the next size."""
    definitions = _definitions(region, tier)
    small = [definition for definition in definitions if definition.memory < tier.memory]
    actions = [register(definition, with_memory(definition, tier.memory)) for definition in small]
    if not small:
        killed = {job.agent for job, _ in unresolved(region, RUNBOOK.issue, f"{tier.name}-undersized")}
        actions = [
            register(definition, with_memory(definition, next_memory(definition)))
            for agent, definition in zip(_agents(tier), definitions, strict=False)
            if agent in killed
        ]
    return Plan(actions=tuple(actions))


for _tier, _name, _current, _title in (
    (FLAGSHIP, "Flagship (Claude)", 4096, "The flagship agent has less memory than it needs"),
    (BALANCED, "Balanced", 2048, "A balanced agent has less memory than it needs"),
    (FAST, "Fast", 1024, "A fast agent has less memory than it needs"),
):
    RUNBOOK.cause(
        f"{_tier.name}-undersized",
        guide=f"{_name}: {_current} MB",
        solution=f"{_tier.memory} MB recommended.",
        title=_title,
        severity=Severity.DISPATCHES,
        remedy=partial(_enlarge, tier=_tier),
    )(partial(_judge, tier=_tier))
