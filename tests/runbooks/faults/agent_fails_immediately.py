"""Faults that end an agent at once."""

from outpost.agents import Agent
from outpost.names import agent_secret
from tests.runbooks.faults.stack import Fault, Stack


def api_key_missing(stack: Stack) -> None:
    """The secret is deleted, as by mistake; Secrets Manager can restore it for days."""
    client, name = stack.client("secretsmanager"), agent_secret(Agent.CLAUDE)
    stack.undo.callback(client.restore_secret, SecretId=name)
    client.delete_secret(SecretId=name, RecoveryWindowInDays=7)


def model_not_found(stack: Stack) -> None:
    stack.dispatch("rehearse: replay model-not-found", model="claude-opus-99")


def repository_not_found(stack: Stack) -> None:
    stack.dispatch("change something", repository="/nowhere/at-all")


def permission_denied(stack: Stack) -> None:
    stack.dispatch("rehearse: replay permission-denied")


FAULTS = (
    Fault("agent-fails-immediately/api-key-missing", api_key_missing, mended=True),
    Fault("agent-fails-immediately/model-not-found", model_not_found),
    Fault("agent-fails-immediately/repository-not-found", repository_not_found),
    Fault("agent-fails-immediately/permission-denied", permission_denied),
)
