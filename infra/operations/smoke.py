"""A smoke test: one real dispatch through the API, with a key that is made for it and revoked after it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from infra.operations import api_keys
from infra.operations.running import Running
from outpost.api import Api, StillRunningError
from outpost.api_keys import Scope
from outpost.dispatch import Status
from outpost.errors import OutpostError

TENANT = "smoke-test"
TASK = "Add the file SMOKE_TEST.md with one line that says hello. Change nothing else."
LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Dispatched:
    """How the dispatch ended."""

    dispatch_id: str
    status: str
    seconds: float
    reason: str


def smoke(
    running: Running,
    agent: str,
    repository: str,
    *,
    timeout: float = 600,
    yes: bool = False,
    dry_run: bool = False,
) -> Dispatched | None:
    """Dispatches a small task and waits for its end. None for a dry run.

    Raises `OutpostError` (`smoke-failed`) unless it is COMPLETED within `timeout` seconds.
    """
    table = running.names.api_keys_table
    calls = [
        f"dynamodb:PutItem {table} (a key of the tenant {TENANT}, good for an hour)",
        f"POST /dispatch {agent} on {repository}, GET /dispatch/ID until it has ended",
        f"dynamodb:UpdateItem {table} (the key is revoked)",
    ]
    if not running.approved(calls, yes=yes, dry_run=dry_run):
        return None
    with _key(running) as key, Api(running.api_url(), key) as api:
        found = _dispatch(running, api, agent, repository, timeout)
    if found.status != Status.COMPLETED:
        raise OutpostError(
            "smoke-failed",
            f"{found.dispatch_id} is {found.status} after {found.seconds:.0f} s. {found.reason}".strip(),
            remedy=f"Run ./inv diagnose --dispatch {found.dispatch_id}.",
        )
    return found


def _dispatch(running: Running, api: Api, agent: str, repository: str, timeout: float) -> Dispatched:
    began = time.monotonic()
    body = {"agent": agent, "task": TASK, "repository": repository, "timeoutSeconds": max(30, int(timeout))}
    identity = str(api.dispatch(body)["dispatchId"])
    try:
        job = api.wait(identity, seconds=timeout, changed=lambda status: running.say(f"{identity}: {status}"))
    except StillRunningError as error:
        job = error.dispatch
    reason = (job.get("reason") or job.get("waitingReason") or {}).get("summary", "")
    return Dispatched(
        dispatch_id=identity, status=str(job["status"]), seconds=time.monotonic() - began, reason=reason
    )


@contextmanager
def _key(running: Running) -> Iterator[str]:
    """An API key that may dispatch and look, for this test only."""
    made = api_keys.item(TENANT, frozenset({Scope.DISPATCH, Scope.STATUS}), "smoke test", LIFETIME)
    dynamodb, table = running.client("dynamodb"), running.names.api_keys_table
    dynamodb.put_item(TableName=table, Item=made.attributes)
    try:
        yield made.key
    finally:
        api_keys.set_status(running, made.api_key_id, "revoked")
