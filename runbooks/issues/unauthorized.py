"""401 Unauthorized: the API does not accept the key."""

from __future__ import annotations

from datetime import datetime

from runbooks.alarms import LogAlarm
from runbooks.looking import Answer
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, warn
from runbooks.observations import Region
from runbooks.observations.dispatches import moment

RUNBOOK = Runbook(
    issue="unauthorized",
    title="401 Unauthorized",
    section="Authentication",
    symptoms=("API returns 401", 'Message: "Invalid API key"'),
    alarm=LogAlarm(
        log_group="/ecs/outpost-control-plane", pattern='{ $.event = "auth-refused" }', threshold=10
    ),
    severity=Severity.CALLER,
)

WRONG = "client-failing/authentication-error"


def refusals(region: Region, code: str) -> list[str]:
    """Prefixes of the keys that the API refused for this reason, newest first; "" for none sent."""
    lines = [line for line in region.logs.events("auth-refused") if line.fields.get("code") == code]
    return [str(line.fields.get("keyPrefix") or "") for line in reversed(lines)]


def with_prefix(region: Region, prefix: str) -> list[Answer]:
    """The records of the keys that start so."""
    return [key for key in region.access.api_keys() if prefix and key.get("keyPrefix") == prefix]


def expired(key: Answer, now: datetime) -> bool:
    expires = moment(key.get("expiresAt"))
    return expires is not None and expires <= now


def _judge(region: Region, wrong: dict[str, Evidence], nothing: str) -> Judgement:
    """A failure when the environment's own key is among the wrong ones; another caller's is a warning."""
    if not wrong:
        return ok(nothing)
    mine = region.client.key_prefix
    if mine and mine in wrong:
        return fail(f"the key in OUTPOST_API_KEY ({mine}...): {wrong[mine].saw}", *wrong.values())
    first = next(iter(wrong.values()))
    return warn(f"{len(wrong)} caller(s) refused; {first.resource}: {first.saw}", *list(wrong.values())[:3])


def _suspects(region: Region, code: str) -> list[str]:
    """Keys to look at: the environment's own, and those that the log says were refused."""
    return [prefix for prefix in dict.fromkeys([region.client.key_prefix, *refusals(region, code)]) if prefix]


@RUNBOOK.cause(
    "key-not-found",
    guide="Key not found",
    solution="Provision new API key.",
    steps=(
        "./inv keys.create --tenant TENANT --scopes dispatch,status prints one; set OUTPOST_API_KEY to it."
    ),
    explains=(WRONG,),
)
def key_not_found(region: Region) -> Judgement:
    """No key with this prefix exists."""
    table = region.names.api_keys_table
    wrong = {
        prefix: Evidence("dynamodb:Scan", f"key {prefix}...", "no such key", f"a record in {table}")
        for prefix in _suspects(region, "key-not-found")
        if not with_prefix(region, prefix)
    }
    shapeless = refusals(region, "key-not-found").count("")
    if shapeless:
        saw = f"{shapeless} request(s) with something else"
        wrong[""] = Evidence("logs:FilterLogEvents", "keys that were sent", saw, "otp_ and 64 hex digits")
    return _judge(region, wrong, "no unknown key was sent")


@RUNBOOK.cause(
    "key-revoked",
    guide="Key revoked",
    solution="Check status field.",
    steps="A revoked key stays revoked: ./inv keys.create --tenant TENANT makes another.",
    explains=(WRONG,),
)
def key_revoked(region: Region) -> Judgement:
    """The key was revoked."""
    wrong = {}
    for prefix in _suspects(region, "key-revoked"):
        keys = with_prefix(region, prefix)
        if keys and all(key.get("status") != "active" for key in keys):
            saw = f"status {keys[0].get('status')}"
            wrong[prefix] = Evidence(
                "dynamodb:Scan", f"key {keys[0]['apiKeyId']} ({prefix}...)", saw, "active"
            )
    return _judge(region, wrong, "no revoked key was sent")


@RUNBOOK.cause(
    "key-expired",
    guide="Key expired",
    solution="Check expiresAt field.",
    steps="./inv keys.rotate --key ID makes a new one like it.",
    explains=(WRONG,),
)
def key_expired(region: Region) -> Judgement:
    """The key has expired."""
    now = region.target.now
    wrong = {}
    for prefix in _suspects(region, "key-expired"):
        keys = [key for key in with_prefix(region, prefix) if key.get("status") == "active"]
        if keys and all(expired(key, now) for key in keys):
            saw, wanted = f"expiresAt {keys[0]['expiresAt']}", f"after {now.isoformat(timespec='seconds')}"
            wrong[prefix] = Evidence("dynamodb:Scan", f"key {keys[0]['apiKeyId']} ({prefix}...)", saw, wanted)
    return _judge(region, wrong, "no expired key was sent")


@RUNBOOK.cause("wrong-header", guide="Wrong header", solution="Use `X-API-Key` header.")
def wrong_header(region: Region) -> Judgement:
    """The key is not sent as `X-API-Key` or as a bearer token."""
    lines = [line for line in region.logs.events("auth-refused") if line.fields.get("code") == "wrong-header"]
    if not lines:
        return ok("no request came without a key in a header that counts")
    sent_in = next((str(line.fields["sentIn"]) for line in reversed(lines) if line.fields.get("sentIn")), "")
    route = lines[-1].fields.get("route", "")
    return warn(
        f"{len(lines)} request(s) without X-API-Key or a bearer token, last on {route}",
        Evidence(
            "logs:FilterLogEvents",
            f"request {route}",
            f"a key in `{sent_in}`" if sent_in else "no key in a header",
            "X-API-Key, or a bearer token",
        ),
    )
