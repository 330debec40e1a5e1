"""What the launcher, the task definitions and the worker agree on.

A worker is told where the control plane is by its task definition, and which attempt it is by the
overrides of RunTask; everything else it fetches, because overrides are limited to 8,192 characters.
"""

# In the task definition.
AGENT = "OUTPOST_AGENT"
CONTROL_URL = "OUTPOST_CONTROL_URL"
# In RunTask's overrides.
DISPATCH_ID = "OUTPOST_DISPATCH_ID"
ATTEMPT = "OUTPOST_ATTEMPT"
TOKEN = "OUTPOST_WORKER_TOKEN"  # noqa: S105 - the variable's name
# Instead of a dispatch and an attempt: an idle worker of the warm pool, which leases one dispatch.
POOL_SLOT = "OUTPOST_POOL_SLOT"

# Routes of the control plane for workers; the token goes in `Authorization: Bearer`.
CLAIM_ROUTE = "/worker/claim"
UPLOADS_ROUTE = "/worker/uploads"
RESULT_ROUTE = "/worker/result"
# For an idle worker: waits up to LEASE_WAIT seconds. 200 with the attempt's token and its assignment, 204 for
# nothing yet, 4xx for "go away".
LEASE_ROUTE = "/worker/lease"
LEASE_WAIT = 20.0

# A workspace's id, a ULID in upper case: also the name of its directory, so nothing else may pass for one.
WORKSPACE_ID = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"


def started_by(tenant_id: str, dispatch_id: str, attempt: int) -> str:
    """RunTask's `startedBy`, which every event of the task carries (128 characters at most)."""
    return f"outpost/{tenant_id}/{dispatch_id}/{attempt}"


def parse_started_by(value: str) -> tuple[str, str, int] | None:
    """Tenant, dispatch and attempt of a task that Outpost launched; None for any other task."""
    parts = value.split("/")
    if len(parts) != 4 or parts[0] != "outpost" or not parts[3].isdigit():
        return None
    return parts[1], parts[2], int(parts[3])
