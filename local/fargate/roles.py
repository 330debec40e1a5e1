"""Credentials of task roles and execution roles, and the route where containers fetch theirs."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from local.aws.client import Clients
from local.aws.errors import AwsError, Response
from local.aws.moto_app import backend
from local.fargate.failures import role_not_assumed

CREDENTIALS_ROUTE = "/_outpost/credentials/"
LIFETIME = timedelta(hours=6)  # what ECS gives a task's credentials
RENEWED = 300.0  # seconds for which an execution role's credentials are used again


@dataclass(frozen=True)
class Credentials:
    role: str
    access_key: str
    secret_key: str
    token: str
    expires: datetime

    def render(self) -> dict[str, str]:
        """As the container credentials endpoint answers."""
        return {
            "RoleArn": self.role,
            "AccessKeyId": self.access_key,
            "SecretAccessKey": self.secret_key,
            "Token": self.token,
            "Expiration": self.expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class Roles:
    """Assumes roles as ecs-tasks.amazonaws.com."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._tasks: dict[str, tuple[str, str]] = {}  # token of the route -> role, task id
        self._execution: dict[str, tuple[float, Any]] = {}

    def route(self, environ: dict[str, Any], body: bytes) -> Response:
        """Answer a container that asks for its credentials."""
        token = environ["PATH_INFO"].removeprefix(CREDENTIALS_ROUTE)
        if token not in self._tasks:
            return Response(404, b'{"code":"InvalidIdInRequest","message":"unknown credentials id"}')
        role, task = self._tasks[token]
        headers = (("Content-Type", "application/json"),)
        return Response(200, json.dumps(self.assume(role, task).render()).encode(), headers)

    def admit(self, role: str, task: str) -> str:
        """A path of the route for one task's role."""
        token = uuid4().hex
        self._tasks[token] = (role, task)
        return CREDENTIALS_ROUTE + token

    def dismiss(self, path: str) -> None:
        self._tasks.pop(path.removeprefix(CREDENTIALS_ROUTE), None)

    def execution_client(self, role: str, service: str) -> Any:
        """A client with an execution role's permissions. Raises `StartError` if it cannot be assumed."""
        known = self._execution.get(f"{role} {service}")
        if known and known[0] > time.monotonic():
            return known[1]
        try:
            credentials = self.assume(role, "ecs-execution")
        except AwsError as error:
            raise role_not_assumed(role) from error
        client = self._clients.with_keys(
            service, credentials.access_key, credentials.secret_key, credentials.token
        )
        self._execution[f"{role} {service}"] = (time.monotonic() + RENEWED, client)
        return client

    def assume(self, role: str, session: str) -> Credentials:
        """New credentials of a role. Raises `AwsError` when it is missing or does not trust ECS's tasks."""
        if not trusts_ecs(role):
            raise AwsError("AccessDenied", f"ecs-tasks.amazonaws.com may not assume {role}.", status=403)
        answer = self._clients.internal("sts").assume_role(RoleArn=role, RoleSessionName=session)[
            "Credentials"
        ]
        return Credentials(
            role,
            answer["AccessKeyId"],
            answer["SecretAccessKey"],
            answer["SessionToken"],
            datetime.now(UTC) + LIFETIME,
        )


def trusts_ecs(role: str) -> bool:
    """Whether a role exists and its trust policy lets ECS's tasks assume it."""
    name = role.rsplit("/", 1)[-1]
    for each in list(backend("iam").roles.values()):
        if each.name == name:
            document = each.assume_role_policy_document
            policy = json.loads(document) if isinstance(document, str) else document
            statements = policy.get("Statement", [])
            return any(_trusts(statement) for statement in statements)
    return False


def _trusts(statement: dict[str, Any]) -> bool:
    principals = statement.get("Principal", {})
    services = principals.get("Service", []) if isinstance(principals, dict) else []
    return statement.get("Effect") == "Allow" and "ecs-tasks.amazonaws.com" in (
        [services] if isinstance(services, str) else services
    )
