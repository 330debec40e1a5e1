"""Remedies that change a task definition: a corrected copy of it, and a service moved to that copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from outpost.agents import FARGATE_MEMORY
from outpost.names import SERVICE
from runbooks.looking import Absent
from runbooks.observations import Region
from runbooks.observations.shapes import Definition
from runbooks.remedies import REGISTERED, Action, Call, Plan

# What DescribeTaskDefinition adds, and RegisterTaskDefinition does not take.
_DESCRIBED_ONLY = {
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
}
REVISIONS_BACK = 3  # of a task definition, in which a lost setting is looked for
ROLL_OUT = 180  # seconds for a deployment to become steady

ContainerChange = Callable[[dict[str, Any]], dict[str, Any]]


def registration(definition: Definition, **changes: Any) -> dict[str, Any]:
    """Parameters of RegisterTaskDefinition for a copy with these top-level changes."""
    kept = {
        name: value
        for name, value in definition.raw.items()
        if name not in _DESCRIBED_ONLY and value not in (None, [], "")
    }
    return kept | changes


def with_container(definition: Definition, change: ContainerChange) -> dict[str, Any]:
    """Parameters of RegisterTaskDefinition for a copy whose main container is changed."""
    containers = [
        change(dict(container)) if container is definition.container else container
        for container in definition.raw["containerDefinitions"]
    ]
    return registration(definition, containerDefinitions=containers)


def with_environment(definition: Definition, variables: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of RegisterTaskDefinition for a copy in which these variables have these values."""

    def change(container: dict[str, Any]) -> dict[str, Any]:
        merged = definition.environment | dict(variables)
        return container | {
            "environment": [{"name": name, "value": value} for name, value in sorted(merged.items())]
        }

    return with_container(definition, change)


def with_earlier_settings(region: Region, definition: Definition, names: list[str]) -> dict[str, Any] | None:
    """Parameters of RegisterTaskDefinition for a copy with settings as earlier revisions had them.

    None when one of the names is in none of the last few revisions.
    """
    variables: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for revision in range(definition.revision - 1, 0, -1)[:REVISIONS_BACK]:
        try:
            earlier = region.containers.described(f"{definition.raw['family']}:{revision}")
        except Absent:
            continue
        for name in names:
            if earlier.environment.get(name, "").strip():
                variables.setdefault(name, earlier.environment[name])
            elif name in earlier.secrets:
                secrets.setdefault(name, earlier.secrets[name])
    if variables.keys() | secrets.keys() != set(names):
        return None
    environment = sorted((definition.environment | variables).items())
    given = sorted((definition.secrets | secrets).items())

    def change(container: dict[str, Any]) -> dict[str, Any]:
        return container | {
            "environment": [{"name": name, "value": value} for name, value in environment],
            "secrets": [{"name": name, "valueFrom": source} for name, source in given],
        }

    return with_container(definition, change)


def with_memory(definition: Definition, memory: int) -> dict[str, Any]:
    """Parameters of RegisterTaskDefinition for a copy with this much memory (MiB), and CPU that allows it."""
    containers = [
        {name: value for name, value in container.items() if name not in ("memory", "memoryReservation")}
        for container in definition.raw["containerDefinitions"]
    ]  # without hard limits of their own, containers share the task's memory
    sizes = [cpu for cpu, memories in FARGATE_MEMORY.items() if cpu >= definition.cpu and memory in memories]
    cpu = min(sizes, default=definition.cpu)
    return registration(definition, memory=str(memory), cpu=str(cpu), containerDefinitions=containers)


def register(definition: Definition, corrected: Mapping[str, Any]) -> Action:
    """Register a corrected copy of a task definition; undone by taking that copy away again."""
    return Action(
        Call("ecs:RegisterTaskDefinition", corrected),
        undo=Call("ecs:DeregisterTaskDefinition", {"taskDefinition": REGISTERED}),
        before=registration(definition),
        base=definition.arn,
    )


def deploy(region: Region, corrected: Mapping[str, Any]) -> Plan:
    """Register a corrected control plane and move the service to it; undone by moving it back."""
    service = region.containers.service()
    cluster = region.names.cluster
    return Plan(
        actions=(
            register(region.containers.definition(), corrected),
            Action(
                Call(
                    "ecs:UpdateService",
                    {"cluster": cluster, "service": SERVICE, "taskDefinition": REGISTERED},
                ),
                undo=Call(
                    "ecs:UpdateService",
                    {"cluster": cluster, "service": SERVICE, "taskDefinition": service["taskDefinition"]},
                ),
            ),
        ),
        state=service["taskDefinition"],
        settle=ROLL_OUT,
    )


def next_memory(definition: Definition) -> int:
    """The next larger size that Fargate offers for its CPU, or for the CPU above."""
    larger = sorted(
        size
        for cpu, sizes in FARGATE_MEMORY.items()
        if cpu >= definition.cpu
        for size in sizes
        if size > definition.memory
    )
    return larger[0] if larger else definition.memory
