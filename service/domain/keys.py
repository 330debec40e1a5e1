"""API keys: how they are made, recognised and limited."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from outpost.api_keys import KEY_FORM, PREFIX_LENGTH, TENANT_FORM, Scope, key_hash, new_key

__all__ = [
    "KEY_FORM",
    "PREFIX_LENGTH",
    "TENANT_FORM",
    "ApiKey",
    "Limits",
    "Scope",
    "key_hash",
    "new_key",
    "repository_name",
    "scopes_of",
]


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A stored key. The key itself is shown once and never stored; `expires_at` is epoch seconds.

    `repositories` are the patterns (`acme/*`) for which a dispatch of this key may be given its tenant's
    git token. The limits are None where the stack's apply.
    """

    api_key_id: str
    tenant_id: str
    key_hash: str
    key_prefix: str
    scopes: frozenset[str]
    status: str = "active"
    created_at: float = 0
    expires_at: float | None = None
    name: str = ""
    repositories: tuple[str, ...] = ()
    max_active: int | None = None
    max_per_day: int | None = None
    requests_per_minute: int | None = None

    def problem(self, now: float) -> str | None:
        """Why the key is not valid at `now`: `key-revoked`, `key-expired` or None."""
        if self.status != "active":
            return "key-revoked"
        if self.expires_at is not None and now >= self.expires_at:
            return "key-expired"
        return None

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_use_git(self, repository: str | None) -> bool:
        name = repository_name(repository)
        return name is not None and any(fnmatchcase(name, pattern.lower()) for pattern in self.repositories)


_GITHUB = re.compile(r"(?:https://github\.com/)?([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+?)(?:\.git)?/?")


def repository_name(repository: str | None) -> str | None:
    """`owner/name`, in lower case, of a GitHub repository; None for any other."""
    match = _GITHUB.fullmatch(repository or "")
    return match[1].lower() if match else None


def scopes_of(values: object) -> frozenset[str]:
    """Scopes as stored: a set or a list of strings. Anything else grants nothing."""
    if isinstance(values, set | frozenset | list | tuple):
        return frozenset(str(value) for value in values)
    return frozenset()


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a tenant may have: dispatches not yet ended, dispatches a day, requests a minute and key."""

    max_active: int = 1000
    max_per_day: int = 100_000
    requests_per_minute: int = 1200

    def of(self, key: ApiKey) -> "Limits":
        """The stack's limits with the key's own in their place."""
        return Limits(
            max_active=key.max_active if key.max_active is not None else self.max_active,
            max_per_day=key.max_per_day if key.max_per_day is not None else self.max_per_day,
            requests_per_minute=key.requests_per_minute or self.requests_per_minute,
        )
