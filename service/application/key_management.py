"""Making, changing and revoking API keys."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ulid import ULID

from service.application.authentication import Authentication
from service.domain.keys import PREFIX_LENGTH, ApiKey, key_hash, new_key
from service.domain.ports import Clock, KeyStore
from service.domain.times import iso

_KEY_ID = re.compile(r"[!-~]{1,256}")  # an operator may choose one; DynamoDB takes at most 2,048 bytes


class KeyNotFoundError(Exception):
    """No such key of this tenant."""


@dataclass(frozen=True, kw_only=True)
class KeyRequest:
    """A key to be made. `expires_at` in epoch seconds."""

    scopes: frozenset[str]
    name: str = ""
    expires_at: float | None = None
    repositories: Sequence[str] = ()


class KeyManagement:
    """Keys of one tenant, by a key of the same tenant with the scope `admin`."""

    def __init__(self, *, keys: KeyStore, authentication: Authentication, clock: Clock) -> None:
        self._keys = keys
        self._authentication = authentication
        self._clock = clock

    def create(self, owner: ApiKey, request: KeyRequest) -> tuple[ApiKey, str]:
        """A new key of the owner's tenant and limits, and the secret, which is shown only now."""
        secret = new_key()
        now = self._clock()
        key = ApiKey(
            api_key_id=str(ULID.from_timestamp(now)),
            tenant_id=owner.tenant_id,
            key_hash=key_hash(secret),
            key_prefix=secret[:PREFIX_LENGTH],
            scopes=request.scopes,
            created_at=now,
            expires_at=request.expires_at,
            name=request.name,
            repositories=tuple(request.repositories),
            max_active=owner.max_active,
            max_per_day=owner.max_per_day,
            requests_per_minute=owner.requests_per_minute,
        )
        self._keys.put(key)
        self._authentication.forget(key.key_hash)
        return key, secret

    def of_tenant(self, tenant_id: str) -> list[ApiKey]:
        return sorted(self._keys.of_tenant(tenant_id), key=lambda key: key.api_key_id, reverse=True)

    def get(self, tenant_id: str, api_key_id: str) -> ApiKey:
        """Raises `KeyNotFoundError`, for another tenant's key as for none."""
        if not _KEY_ID.fullmatch(api_key_id):
            raise KeyNotFoundError(api_key_id)
        key = self._keys.get(api_key_id)
        if key is None or key.tenant_id != tenant_id:
            raise KeyNotFoundError(api_key_id)
        return key

    def change(self, tenant_id: str, api_key_id: str, changes: dict[str, Any]) -> ApiKey:
        """Write attributes as the table names them."""
        self.get(tenant_id, api_key_id)
        changed = self._keys.update(api_key_id, changes)
        if changed is None:
            raise KeyNotFoundError(api_key_id)
        self._authentication.forget(changed.key_hash)
        return changed

    def revoke(self, tenant_id: str, api_key_id: str) -> ApiKey:
        """Effective here at once, and on every replica within 10 seconds."""
        return self.change(tenant_id, api_key_id, {"status": "revoked", "revokedAt": iso(self._clock())})

    def rotate(self, tenant_id: str, api_key_id: str, overlap: float) -> tuple[ApiKey, str]:
        """A new key like the old one; the old one expires after `overlap` seconds."""
        old = self.get(tenant_id, api_key_id)
        made = self.create(
            old,
            KeyRequest(
                scopes=old.scopes, name=old.name, expires_at=old.expires_at, repositories=old.repositories
            ),
        )
        ends = self._clock() + overlap
        if old.expires_at is None or ends < old.expires_at:
            self.change(tenant_id, api_key_id, {"expiresAt": iso(ends)})
        return made
