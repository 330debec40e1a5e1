"""How many idle workers the control plane keeps of an agent."""

from collections.abc import Mapping
from typing import Any

from infra.operations.redeploy import roll_out, settled
from infra.operations.running import Running
from outpost.agents import Agent
from outpost.errors import OutpostError
from outpost.names import SERVICE

VARIABLE = "WARM_POOL"
MAXIMUM = 10  # idle workers of one agent, as the control plane takes (service/domain/pool.py)
# Of DescribeTaskDefinition's answer, what RegisterTaskDefinition takes.
REGISTERED = (
    "family", "taskRoleArn", "executionRoleArn", "networkMode", "containerDefinitions", "volumes",
    "placementConstraints", "requiresCompatibilities", "cpu", "memory", "ephemeralStorage",
    "runtimePlatform", "pidMode", "ipcMode", "proxyConfiguration",
)  # fmt: skip


def prewarm(running: Running, agent: str, size: int, *, yes: bool = False, dry_run: bool = False) -> str:
    """Sets the pool's size for one agent until the next deployment, which sets it to the stack's `warmPool`.

    Returns the pool as it then is (`claude=2,aider=1`). It is a roll-out of the control plane, with the
    errors of `redeploy`; nothing is done where the size is so already.
    """
    if agent not in list(Agent) or not 0 <= size <= MAXIMUM:
        raise OutpostError(
            "invalid-warm-pool",
            f"{agent}={size} is no size of a warm pool.",
            remedy=f"Give one of {', '.join(Agent)} and a number from 0 to {MAXIMUM}.",
        )
    ecs = running.client("ecs")
    (current,) = settled(running)
    definition = ecs.describe_task_definition(taskDefinition=current.task_definition)["taskDefinition"]
    before, pool, copy = with_pool(definition, agent, size)
    if pool == before:
        running.say(f"{VARIABLE} is {pool or 'empty'} already")
        return pool
    calls = [
        f"ecs:RegisterTaskDefinition {definition['family']} {VARIABLE}={pool or '(none)'}",
        f"ecs:UpdateService {running.names.cluster}/{SERVICE} {current.revision} -> the new revision",
    ]
    if not running.approved(calls, yes=yes, dry_run=dry_run):
        return before
    made = ecs.register_task_definition(**copy)["taskDefinition"]["taskDefinitionArn"]
    roll_out(running, taskDefinition=made)
    return pool


def with_pool(definition: Mapping[str, Any], agent: str, size: int) -> tuple[str, str, dict[str, Any]]:
    """The pool before, the pool after, and what registers a copy of the task definition that has it."""
    container, *others = definition["containerDefinitions"]
    variables = {str(each["name"]): str(each["value"]) for each in container.get("environment", [])}
    before = variables.pop(VARIABLE, "")
    sizes = dict(part.split("=") for part in before.replace(" ", "").split(",") if part) | {agent: str(size)}
    pool = ",".join(f"{name}={number}" for name, number in sorted(sizes.items()) if number != "0")
    variables |= {VARIABLE: pool} if pool else {}
    changed = {
        **container,
        "environment": [{"name": name, "value": value} for name, value in variables.items()],
    }
    copy = {name: definition[name] for name in REGISTERED if definition.get(name)}
    return before, pool, {**copy, "containerDefinitions": [changed, *others]}
