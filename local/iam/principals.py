"""Who made a request: the IAM user or the role session behind an access key, and its policies."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.aws.moto_app import ACCOUNT, backend
from outpost.policy import Statement, parse

Policies = list[tuple[Statement, ...]]


@dataclass(frozen=True, kw_only=True)
class Principal:
    """A caller. `names` are the ARNs under which a resource policy may speak of it."""

    arn: str
    names: frozenset[str]
    secret_key: str
    session_token: str
    user_name: str
    _entity: Any  # moto's user or role: policies are read at each request, as they are by then

    def policies(self) -> Policies:
        """Its identity policies, inline and attached, its groups' included."""
        return [parse(document, name) for name, document in _documents(self._entity)]


class Principals:
    """Finds principals by access key; role sessions are remembered, because moto lists them linearly."""

    def __init__(self) -> None:
        self._sessions: dict[str, Any] = {}
        self._seen = 0

    def find(self, access_key: str) -> Principal | None:
        """The caller with this access key; None when there is none or its key is inactive or expired."""
        session = self._session(access_key)
        if session is not None:
            return _of_session(session)
        for user in backend("iam").users.values():
            for key in user.access_keys:
                if key.access_key_id == access_key:
                    return _of_user(user, key) if key.status == "Active" else None
        return None

    def _session(self, access_key: str) -> Any:
        sessions = backend("sts").assumed_roles
        for session in sessions[self._seen :]:
            self._sessions[session.access_key_id] = session
        self._seen = len(sessions)
        return self._sessions.get(access_key)


def _of_session(session: Any) -> Principal | None:
    expired = session.expiration < datetime.now(session.expiration.tzinfo)
    role = _role(session.role_arn)
    if role is None or expired:
        return None
    return Principal(
        arn=session.arn,
        names=frozenset({session.arn, session.role_arn}),
        secret_key=session.secret_access_key,
        session_token=session.session_token,
        user_name="",
        _entity=role,
    )


def _of_user(user: Any, key: Any) -> Principal:
    arn = f"arn:aws:iam::{ACCOUNT}:user{user.path}{user.name}"
    return Principal(
        arn=arn,
        names=frozenset({arn}),
        secret_key=key.secret_access_key,
        session_token="",
        user_name=user.name,
        _entity=user,
    )


def _role(arn: str) -> Any:
    name = arn.rsplit("/", 1)[-1]
    return next((role for role in backend("iam").roles.values() if role.name == name), None)


def _documents(entity: Any) -> Iterator[tuple[str, str]]:
    yield from ((name, _text(document)) for name, document in entity.policies.items())
    yield from ((policy.name, _text(policy.document)) for policy in entity.managed_policies.values())
    for group in backend("iam").get_groups_for_user(entity.name) if hasattr(entity, "access_keys") else ():
        yield from ((name, _text(document)) for name, document in group.policies.items())
        yield from ((policy.name, _text(policy.document)) for policy in group.managed_policies.values())


def _text(document: str | dict[str, Any]) -> str:
    return document if isinstance(document, str) else json.dumps(document)
