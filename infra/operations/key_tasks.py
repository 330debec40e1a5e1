"""Tasks for API keys. The key itself goes to standard output, once; everything else to standard error."""

import json

from invoke import Collection, Context, task

from infra.operations.tasks import CHANGE, STACK, running_stack


@task(
    help={
        **CHANGE,
        "tenant": "whose key it is",
        "scopes": "of dispatch, status, cancel, promote and admin, with commas",
        "name": "what it is for",
        "days": "days until it expires (default: it does not)",
        "repositories": "patterns such as acme/*, with commas, that may be cloned with the GitHub token",
    }
)
def create(
    c: Context,
    tenant: str,
    scopes: str = "dispatch,status,cancel,promote",
    name: str = "",
    days: int = 0,
    repositories: str = "",
    stack: str = "",
    local: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Make an API key and print it; it is not stored and cannot be shown again."""
    with running_stack("keys.create", stack, local) as running:
        from datetime import timedelta

        from infra.operations import api_keys

        lifetime = timedelta(days=days) if days else None
        allowed = [pattern for pattern in repositories.split(",") if pattern]
        made = api_keys.item(tenant, api_keys.scopes_of(scopes), name, lifetime, allowed)
        if api_keys.create(running, made, yes=yes, dry_run=dry_run):
            print(made.key)


@task(help={**STACK, "tenant": "whose keys"}, name="list")
def list_keys(c: Context, tenant: str, stack: str = "", local: bool = False) -> None:
    """Print a tenant's keys as JSON lines: ids, first characters, scopes, status."""
    with running_stack("keys.list", stack, local) as running:
        from infra.operations import api_keys

        for found in api_keys.keys(running, tenant):
            print(json.dumps(found))


@task(help={**CHANGE, "key": "the key's id (apiKeyId)", "scopes": "its scopes from now on, with commas"})
def scopes(
    c: Context,
    key: str,
    scopes: str,
    stack: str = "",
    local: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Give a key other scopes."""
    with running_stack("keys.scopes", stack, local) as running:
        from infra.operations import api_keys

        api_keys.set_scopes(running, key, api_keys.scopes_of(scopes), yes=yes, dry_run=dry_run)


@task(
    help={
        **CHANGE,
        "key": "the key's id (apiKeyId)",
        "hours": "hours that the old key goes on working (default 24)",
    }
)
def rotate(
    c: Context,
    key: str,
    hours: int = 24,
    stack: str = "",
    local: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Print a new key like the old one, which soon expires."""
    with running_stack("keys.rotate", stack, local) as running:
        from datetime import timedelta

        from infra.operations import api_keys

        made = api_keys.rotate(running, key, timedelta(hours=hours), yes=yes, dry_run=dry_run)
        if made:
            print(made.key)


@task(help={**CHANGE, "key": "the key's id (apiKeyId)"})
def revoke(
    c: Context,
    key: str,
    stack: str = "",
    local: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """End a key: it is refused within ten seconds."""
    with running_stack("keys.revoke", stack, local) as running:
        from infra.operations import api_keys

        api_keys.revoke(running, key, yes=yes, dry_run=dry_run)


keys = Collection("keys", create, list_keys, scopes, rotate, revoke)
