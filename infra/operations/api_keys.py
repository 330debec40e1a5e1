"""API keys, managed in the table itself: how a new stack gets its first key, before any key can be used.

What is stored is what the control plane stores: the hash, never the key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ulid import ULID

from infra.operations.running import Running
from outpost.api_keys import PREFIX_LENGTH, TENANT_FORM, Scope, key_hash, new_key
from outpost.errors import OutpostError

SHOWN = ("apiKeyId", "tenantId", "name", "keyPrefix", "scopes", "status", "createdAt", "expiresAt")
OVERLAP = timedelta(days=1)  # how long a rotated key goes on working, unless told otherwise


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """A key as it is shown, once, and the item that is stored of it."""

    key: str
    api_key_id: str
    attributes: Mapping[str, Mapping[str, Any]]


def item(
    tenant: str,
    scopes: Iterable[Scope],
    name: str,
    lifetime: timedelta | None,
    repositories: Iterable[str] = (),
) -> NewKey:
    """A fresh key. Raises `OutpostError` (`invalid-tenant`)."""
    if not TENANT_FORM.fullmatch(tenant):
        raise OutpostError(
            "invalid-tenant",
            f"{tenant!r} is not a tenant id.",
            remedy="Use 1 to 64 letters, digits, hyphens and underscores, no hyphen first.",
        )
    key, api_key_id, now = new_key(), str(ULID()), datetime.now(UTC)
    attributes: dict[str, dict[str, Any]] = {
        "apiKeyId": {"S": api_key_id},
        "tenantId": {"S": tenant},
        "name": {"S": name},
        "keyHash": {"S": key_hash(key)},
        "keyPrefix": {"S": key[:PREFIX_LENGTH]},
        "scopes": _texts(scopes),
        "status": {"S": "active"},
        "createdAt": {"S": now.isoformat()},
    }
    if lifetime:
        attributes["expiresAt"] = {"S": (now + lifetime).isoformat()}
    if found := list(repositories):
        attributes["repositories"] = _texts(found)
    return NewKey(key=key, api_key_id=api_key_id, attributes=attributes)


def create(running: Running, made: NewKey, *, yes: bool, dry_run: bool) -> bool:
    """Stores a key. False for a dry run."""
    if not running.approved([_put(running, made)], yes=yes, dry_run=dry_run):
        return False
    running.client("dynamodb").put_item(TableName=running.names.api_keys_table, Item=made.attributes)
    return True


def keys(running: Running, tenant: str) -> list[dict[str, Any]]:
    """A tenant's keys, newest first; neither the keys nor their hashes."""
    pages = running.client("dynamodb").get_paginator("query")
    found = [
        {name: _value(stored[name]) for name in SHOWN if name in stored}
        for page in pages.paginate(
            TableName=running.names.api_keys_table,
            IndexName="tenantId-index",
            KeyConditionExpression="tenantId = :tenant",
            ExpressionAttributeValues={":tenant": {"S": tenant}},
        )
        for stored in page["Items"]
    ]
    return sorted(found, key=lambda shown: str(shown.get("createdAt", "")), reverse=True)


def set_scopes(
    running: Running, api_key_id: str, scopes: Iterable[Scope], *, yes: bool, dry_run: bool
) -> bool:
    """Gives a key other scopes. False for a dry run; raises `OutpostError` (`unknown-key`)."""
    return _change(running, api_key_id, {"scopes": _texts(scopes)}, yes=yes, dry_run=dry_run)


def revoke(running: Running, api_key_id: str, *, yes: bool, dry_run: bool) -> bool:
    """Ends a key; the control plane stops taking it within ten seconds. Raises as `set_scopes` does."""
    return _change(running, api_key_id, {"status": {"S": "revoked"}}, yes=yes, dry_run=dry_run)


def rotate(
    running: Running, api_key_id: str, overlap: timedelta = OVERLAP, *, yes: bool, dry_run: bool
) -> NewKey | None:
    """A new key like the old one, which then works for `overlap` more. None for a dry run."""
    old = _stored(running, api_key_id)
    made = item(old["tenantId"]["S"], (), old.get("name", {}).get("S", ""), None)
    kept = {
        name: stored
        for name, stored in old.items()
        if name not in ("apiKeyId", "keyHash", "keyPrefix", "status", "createdAt", "expiresAt")
    }
    made = NewKey(key=made.key, api_key_id=made.api_key_id, attributes={**made.attributes, **kept})
    until = {"S": _sooner(old.get("expiresAt", {}).get("S"), datetime.now(UTC) + overlap).isoformat()}
    calls = [_put(running, made), _update(running, api_key_id, {"expiresAt": until})]
    if not running.approved(calls, yes=yes, dry_run=dry_run):
        return None
    running.client("dynamodb").put_item(TableName=running.names.api_keys_table, Item=made.attributes)
    _write(running, api_key_id, {"expiresAt": until})
    return made


def _sooner(expires: str | None, until: datetime) -> datetime:
    """When an old key ends: rotating one that has expired must not let it in again."""
    if not expires:
        return until
    already = datetime.fromisoformat(expires)
    return min(until, already if already.tzinfo else already.replace(tzinfo=UTC))


def scopes_of(text: str) -> frozenset[Scope]:
    """Scopes separated by commas. Raises `OutpostError` (`invalid-scope`)."""
    try:
        return frozenset(Scope(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise OutpostError("invalid-scope", f"{error}.", remedy=f"Use {', '.join(Scope)}.") from error


def set_status(running: Running, api_key_id: str, status: str) -> None:
    """Writes a key's status without asking, for a key that the caller has made itself."""
    _write(running, api_key_id, {"status": {"S": status}})


def _change(
    running: Running, api_key_id: str, values: Mapping[str, Any], *, yes: bool, dry_run: bool
) -> bool:
    _stored(running, api_key_id)
    if not running.approved([_update(running, api_key_id, values)], yes=yes, dry_run=dry_run):
        return False
    _write(running, api_key_id, values)
    return True


def _stored(running: Running, api_key_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (
        running.client("dynamodb")
        .get_item(TableName=running.names.api_keys_table, Key={"apiKeyId": {"S": api_key_id}})
        .get("Item", {})
    )
    if not found:
        raise OutpostError(
            "unknown-key", f"There is no key {api_key_id!r}.", remedy="`./inv keys.list` shows a tenant's."
        )
    return found


def _write(running: Running, api_key_id: str, values: Mapping[str, Any]) -> None:
    running.client("dynamodb").update_item(
        TableName=running.names.api_keys_table,
        Key={"apiKeyId": {"S": api_key_id}},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ConditionExpression="attribute_exists(apiKeyId)",
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
    )


def _put(running: Running, made: NewKey) -> str:
    return f"dynamodb:PutItem {running.names.api_keys_table} apiKeyId={made.api_key_id}"


def _update(running: Running, api_key_id: str, values: Mapping[str, Any]) -> str:
    changes = ", ".join(f"{name}={_value(value)}" for name, value in values.items())
    return f"dynamodb:UpdateItem {running.names.api_keys_table} apiKeyId={api_key_id}: {changes}"


def _texts(values: Iterable[str]) -> dict[str, Any]:
    return {"L": [{"S": str(value)} for value in sorted(values)]}


def _value(stored: Mapping[str, Any]) -> Any:
    """A DynamoDB value as plain data."""
    ((kind, value),) = stored.items()
    if kind == "L":
        return [_value(entry) for entry in value]
    return sorted(value) if kind == "SS" else value
