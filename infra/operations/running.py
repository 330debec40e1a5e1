"""The stack that an operation is about: whose account, where, and clients for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.asking import agreed
from infra.operations.health import address
from outpost.errors import OutpostError
from outpost.names import CONTROL_PLANE_FAMILY, PUBLIC_URL, Names
from runbooks.aws import Connection
from runbooks.target import Target

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A stack that is deployed. `say` is for people, on standard error."""

    target: Target
    connection: Connection
    say: Say

    @classmethod
    def open(cls, operation: str, say: Say, *, stack: str = "", local: bool = False) -> "Running":
        """Says which account, region and stack it is. Raises `OutpostError` (`no-credentials`)."""
        target = Target.from_environment(stack=stack, local=local)
        connection = Connection(target)
        try:
            client: Any = connection.client("sts")
            account = client.get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            raise OutpostError(
                "no-credentials",
                f"AWS does not know who asks: {str(error).rstrip('.')}.",
                remedy="Sign in, set AWS_PROFILE, or give --local for the local region.",
            ) from error
        where = f"region {target.region}, stack {target.stack}, {connection.where()}"
        say(f"{operation}: account {account}, {where}")
        return cls(target=target, connection=connection, say=say)

    @property
    def names(self) -> Names:
        return self.target.names

    def client(self, service: str) -> Any:
        return self.connection.client(service)

    def api_url(self) -> str:
        """OUTPOST_API_URL, else the stack's domain if it has one, else the load balancer's address."""
        return self.target.api_url or self._domain() or address(self.client("elbv2"), self.names)

    def _domain(self) -> str:
        """https://DOMAIN as the control plane was told; empty without a domain, or before a deployment."""
        ecs = self.client("ecs")
        try:
            found = ecs.describe_task_definition(taskDefinition=CONTROL_PLANE_FAMILY)["taskDefinition"]
        except ecs.exceptions.ClientException:
            return ""
        variables = found["containerDefinitions"][0].get("environment", [])
        url = {entry["name"]: str(entry["value"]) for entry in variables}.get(PUBLIC_URL, "")
        return url if url.startswith("https://") else ""

    def approved(self, calls: Sequence[str], *, yes: bool, dry_run: bool) -> bool:
        """Says what will be called and asks. False for a dry run; raises `OutpostError` (`declined`)."""
        for call in calls:
            self.say(f"  {'would' if dry_run else 'will'} call: {call}")
        if dry_run:
            return False
        if not agreed("Go on?", yes=yes):
            raise OutpostError("declined", "Nothing was changed.")
        return True
