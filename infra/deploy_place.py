"""Where a deployment goes, and whether everything that it needs is there. Nothing is changed here."""

import shutil
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.rendering import stack_config
from infra.settings import NAMESPACE, Settings
from outpost.errors import OutpostError
from runbooks.aws import Connection
from runbooks.target import Target


@dataclass(frozen=True, kw_only=True)
class Place:
    """An account, a region, and the settings of the stack that is deployed there."""

    account: str
    target: Target
    settings: Settings
    connection: Connection

    @property
    def registry(self) -> str:
        """The host of the account's image repositories."""
        return f"{self.account}.dkr.ecr.{self.target.region}.amazonaws.com"

    def client(self, service: str) -> Any:
        return self.connection.client(service)

    def __str__(self) -> str:
        profile = f", profile {self.target.profile}" if self.target.profile else ""
        return f"account {self.account}, region {self.target.region}, stack {self.target.stack}{profile}"


def look(target: Target) -> Place:
    """Raise `OutpostError` for invalid settings, a region that is not the stack's, or no credentials."""
    settings = settings_of(target)
    if settings.region != target.region:
        raise OutpostError(
            "other-region",
            f"The stack {target.stack} is for {settings.region}, and AWS_REGION is {target.region}.",
            remedy=f"Set AWS_REGION={settings.region}.",
        )
    connection = Connection(target)
    return Place(account=_account(connection), target=target, settings=settings, connection=connection)


def settings_of(target: Target) -> Settings:
    """The stack file's settings, checked."""
    config = stack_config(target.stack)
    return Settings.parse(
        stack=target.stack,
        values={
            key.removeprefix(f"{NAMESPACE}:"): value
            for key, value in config.items()
            if key.startswith(f"{NAMESPACE}:")
        },
        region=config.get("aws:region", target.region),
    )


def require_pulumi() -> None:
    """Raise `OutpostError` (`pulumi-missing`) without Pulumi's CLI, which its automation API runs."""
    if not shutil.which("pulumi"):
        raise OutpostError(
            "pulumi-missing",
            "pulumi is not on PATH.",
            remedy="Install it: https://www.pulumi.com/docs/iac/download-install/.",
        )


def _account(connection: Connection) -> str:
    try:
        client: Any = connection.client("sts")
        return str(client.get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        profile = connection.target.profile or "not set"
        raise OutpostError(
            "no-credentials",
            f"AWS does not know who asks: {error}",
            remedy=f"Sign in (aws sso login), or set AWS_PROFILE; it is {profile}.",
        ) from error
