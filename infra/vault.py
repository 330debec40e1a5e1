"""Secrets: the agents' keys and GitHub's token without values, the worker token key with a generated one."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi_aws as aws
import pulumi_random as random
from pulumi import ComponentResource, Input, Output, ResourceOptions

from outpost.agents import AGENTS, Agent
from outpost.names import GITHUB_SECRET, WORKER_TOKEN_SECRET, agent_secret

KEY_LENGTH = 64  # characters of [A-Za-z0-9], 380 bits


@dataclass(frozen=True, kw_only=True)
class VaultArgs:
    """`recovery_days`: how long a deleted secret can be restored; 0 deletes at once (and frees its name)."""

    recovery_days: int
    key_arn: Input[str] | None = None


class Vault(ComponentResource):
    """The secrets. Their values are set by `./inv secrets.set`, never by this program."""

    agents: Mapping[Agent, Output[str]]
    github: Output[str]
    worker_token_key: Output[str]

    def __init__(self, name: str, args: VaultArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:security:Vault", name, {}, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        self.agents = {
            agent: self._secret(
                spec.provider, agent_secret(agent), f"{spec.key_variable} of the {agent} agent"
            ).arn
            for agent, spec in AGENTS.items()
        }
        self.github = self._secret(
            "github", GITHUB_SECRET, "GitHub token that clones, pushes and opens pull requests"
        ).arn
        secret = self._secret(
            "worker-token-key", WORKER_TOKEN_SECRET, "Signs the tokens of the workers' attempts"
        )
        key = random.RandomPassword(
            f"{name}-worker-token-key", length=KEY_LENGTH, special=False, opts=self._child
        )
        version = aws.secretsmanager.SecretVersion(
            f"{name}-worker-token-key", secret_id=secret.id, secret_string=key.result, opts=self._child
        )
        # By way of the version, so that what refers to the secret is made once it has a value.
        self.worker_token_key = version.secret_arn
        self.register_outputs({})

    def _secret(self, suffix: str, secret_name: str, description: str) -> aws.secretsmanager.Secret:
        return aws.secretsmanager.Secret(
            f"{self._name}-{suffix}",
            name=secret_name,
            description=description,
            recovery_window_in_days=self._args.recovery_days,
            kms_key_id=self._args.key_arn,
            opts=self._child,
        )
