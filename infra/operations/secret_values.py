"""The values of the stack's secrets: which have one, and setting one. A value is never printed or logged."""

from typing import Any

from infra.operations.running import Running
from outpost.agents import AGENTS
from outpost.errors import OutpostError
from outpost.names import GITHUB_SECRET, agent_secret

CURRENT = "AWSCURRENT"
# What an operator fills; the worker token key is Pulumi's.
NAMES = {**{str(agent): agent_secret(agent) for agent in AGENTS}, "github": GITHUB_SECRET}


def secret_values(running: Running) -> dict[str, str]:
    """Every secret by short name: `set`, `empty` or `missing`."""
    manager = running.client("secretsmanager")
    return {name: _state(manager, secret) for name, secret in NAMES.items()}


def set_secret(running: Running, name: str, value: str, *, yes: bool = False, dry_run: bool = False) -> bool:
    """Gives a secret a value. Tasks that start from now on see it. False for a dry run."""
    if name not in NAMES:
        raise OutpostError("unknown-secret", f"{name!r} is not a secret.", remedy=f"Use {', '.join(NAMES)}.")
    if not value.strip():
        raise OutpostError("empty-secret", "The value is empty.", remedy="Give it on standard input.")
    call = f"secretsmanager:PutSecretValue {NAMES[name]} ({len(value.strip())} characters)"
    if not running.approved([call], yes=yes, dry_run=dry_run):
        return False
    running.client("secretsmanager").put_secret_value(SecretId=NAMES[name], SecretString=value.strip())
    return True


def _state(manager: Any, secret: str) -> str:
    try:
        described = manager.describe_secret(SecretId=secret)
    except manager.exceptions.ResourceNotFoundException:
        return "missing"
    versions = described.get("VersionIdsToStages", {})
    return "set" if any(CURRENT in stages for stages in versions.values()) else "empty"
