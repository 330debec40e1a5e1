"""Webhooks: what is sent when a dispatch has ended, how it is signed, and when it is tried again."""

import hashlib
import hmac
import json
from collections.abc import Mapping

from service.domain.job import Job
from service.domain.times import iso

TRIES = 8
DELAYS = (10, 30, 120, 600, 1800, 3600, 7200)  # seconds between tries: about four hours in all
SIGNATURE = "Outpost-Signature"


def secret_of(master_key: str, tenant_id: str) -> str:
    """The tenant's signing secret: derived, so that there is nothing to store and nothing to leak."""
    digest = hmac.new(master_key.encode(), f"outpost-webhook-v1:{tenant_id}".encode(), hashlib.sha256)
    return f"whsec_{digest.hexdigest()}"


def body_of(job: Job) -> bytes:
    """The event. The same bytes at every try: a receiver recognises repetitions by `id`."""
    event = {
        "id": f"{job.dispatch_id}-ended",
        "type": "dispatch.ended",
        "dispatchId": job.dispatch_id,
        "status": job.status,
        "agent": job.agent,
        "createdAt": iso(job.created_at),
        "endedAt": iso(job.ended_at) if job.ended_at is not None else None,
        "exitCode": job.exit_code,
        "reason": {"code": job.reason.code, "issue": job.reason.issue, "cause": job.reason.cause}
        if job.reason
        else None,
        "changes": dict(job.changes) if job.changes is not None else None,
    }
    return json.dumps(event, sort_keys=True).encode()


def headers_of(secret: str, body: bytes, now: float) -> Mapping[str, str]:
    """`Outpost-Signature: t=EPOCH,v1=HEX`, HMAC-SHA-256 over `EPOCH.BODY`; the time keeps it from replay."""
    moment = str(int(now))
    digest = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", SIGNATURE: f"t={moment},v1={digest}"}


def next_try(tries: int, now: float) -> float | None:
    """When to try again after `tries` failures; None when it is given up."""
    return now + DELAYS[tries - 1] if tries < TRIES else None
