"""Agent task fails immediately: the container ends within seconds, with exit code 1."""

from __future__ import annotations

from outpost.agents import AGENTS, Agent
from outpost.names import agent_secret
from runbooks.agent_reasons import judgement, unresolved
from runbooks.alarms import LogAlarm
from runbooks.by_hand import branches, inv
from runbooks.definitions import register, with_container
from runbooks.looking import Absent
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, warn
from runbooks.observations import Region
from runbooks.observations.access import has_value
from runbooks.observations.dispatches import Job
from runbooks.remedies import Action, Call, Plan

RUNBOOK = Runbook(
    issue="agent-fails-immediately",
    title="Agent task fails immediately",
    section="Workers and agents",
    symptoms=("Task status: STOPPED", "Exit code: 1", "Duration: < 10 seconds"),
    alarm=LogAlarm(
        log_group="/ecs/outpost-control-plane",
        pattern='{ $.event = "dispatch-ended" && $.status = "FAILED" }',
        threshold=3,
    ),
    severity=Severity.DISPATCHES,
)

ISSUE = RUNBOOK.issue


def failed_dispatches(jobs: list[Job]) -> list[Evidence]:
    """What the launcher or the worker put these failures down to."""
    return [
        Evidence(
            "dynamodb:Query",
            f"dispatch {job.id}",
            f"{job.agent} {job.status}, exit {job.raw.get('exitCode', '-')}: {job.reason}",
            "COMPLETED",
        )
        for job in jobs[:3]
    ]


def _unwired(region: Region) -> list[Agent]:
    """Agents whose task definition is not given their key."""
    unwired = []
    for agent, spec in AGENTS.items():
        try:
            definition = region.containers.agent_definition(agent)
        except Absent:
            continue  # dispatch-stuck-pending/task-definition-missing tells it
        given = definition.secrets.get(spec.key_variable) or definition.environment.get(spec.key_variable)
        if not given:
            unwired.append(agent)
    return unwired


def _wire(region: Region) -> Plan | None:
    """Wire what is not wired and restore what is being deleted; a value only a person can give."""
    actions = []
    for agent in AGENTS:
        secret = region.access.secret(agent_secret(agent))
        if secret is None or (not has_value(secret) and not secret.get("DeletedDate")):
            return None
        if secret.get("DeletedDate"):
            identity = {"SecretId": secret["ARN"]}
            actions.append(Action(Call("secretsmanager:RestoreSecret", identity)))
    for agent in _unwired(region):
        definition = region.containers.agent_definition(agent)
        secret = region.access.secret(agent_secret(agent)) or {}
        entry = {"name": AGENTS[agent].key_variable, "valueFrom": secret["ARN"]}
        entries = [*definition.container.get("secrets", []), entry]
        corrected = with_container(definition, lambda c, entries=entries: c | {"secrets": entries})  # type: ignore[misc]
        actions.append(register(definition, corrected))
    return Plan(actions=tuple(actions)) if actions else None


@RUNBOOK.cause(
    "api-key-missing",
    guide="Missing secret (`ANTHROPIC_API_KEY not set`)",
    solution="Populate Secrets Manager.",
    steps="Give it a value: ./inv secrets.set --name AGENT (the evidence names the secret).",
    remedy=_wire,
)
def api_key_missing(region: Region) -> Judgement:
    """An agent's API key has no value, or its task definition is not given it."""
    broken: list[Evidence] = []
    never_set: list[Evidence] = []
    for agent in AGENTS:
        name = agent_secret(agent)
        secret = region.access.secret(name)
        expected = f"a value for {agent}"
        if secret is None:
            broken.append(Evidence("secretsmanager:ListSecrets", name, "no such secret", expected))
        elif secret.get("DeletedDate"):
            broken.append(Evidence("secretsmanager:ListSecrets", name, "being deleted", expected))
        elif not has_value(secret):
            # Without any version, it was created and never populated; else its value was taken away.
            found = broken if secret.get("SecretVersionsToStages") else never_set
            found.append(Evidence("secretsmanager:ListSecrets", name, "no value", expected))
    for agent in _unwired(region):
        definition = region.containers.agent_definition(agent)
        variable = AGENTS[agent].key_variable
        broken.append(
            Evidence("ecs:DescribeTaskDefinition", definition.name, f"{variable} not set", "a secret")
        )
    jobs = failed_dispatches(region.dispatches.failed_for(ISSUE, "api-key-missing"))
    secrets = {agent: region.access.secret(agent_secret(agent)) for agent in AGENTS}
    empty = [agent for agent, secret in secrets.items() if secret and not has_value(secret)]
    give = [inv(region, "secrets.set", "--name", agent) for agent in empty]
    if broken or (never_set and jobs):
        first = (broken or never_set)[0]
        return fail(f"{first.resource}: {first.saw}", *broken, *never_set, *jobs).then(*give)
    if never_set:
        return warn(f"{len(never_set)} agents cannot run: their keys were never set", *never_set).then(*give)
    return ok("every agent's key has a value and is given to its task")


@RUNBOOK.cause(
    "model-not-found",
    guide="Invalid model ID (`Model not found`)",
    solution="Check model ID spelling.",
    steps=(
        "Dispatch again with a model that the provider lists, or leave `model` out for the agent's default."
    ),
    severity=Severity.CALLER,
)
def model_not_found(region: Region) -> Judgement:
    """The provider does not know the model that the dispatch asked for."""
    return judgement(
        region,
        unresolved(region, ISSUE, "model-not-found"),
        "no dispatch failed for its model",
        again=lambda job: {"model": None},
    )


@RUNBOOK.cause(
    "repository-not-found",
    guide="Bad repo URL (`Repository not found`)",
    solution="Verify GitHub URL and token.",
    steps=(
        "Open the URL as the token's owner; then correct `repository`, or give a token that can "
        "read it: ./inv secrets.set --name github."
    ),
    severity=Severity.CALLER,
)
def repository_not_found(region: Region) -> Judgement:
    """The repository does not exist, or the token cannot see it."""
    return judgement(
        region,
        unresolved(region, ISSUE, "repository-not-found"),
        "no dispatch failed for its repository",
        first=branches,
    )


@RUNBOOK.cause(
    "permission-denied",
    guide="Git ownership (`Permission denied`)",
    solution="Use dispatch scripts (sudo): the workspace has to belong to the agent's user.",
)
def permission_denied(region: Region) -> Judgement:
    """Git refuses the workspace, because its files belong to another user."""
    return judgement(
        region, unresolved(region, ISSUE, "permission-denied"), "no dispatch failed for its files' owner"
    )
