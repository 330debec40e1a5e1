"""401 Unauthorized: the API does not accept the key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runbooks import by_hand
from runbooks.alarms import LogAlarm
from runbooks.looking import Answer
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, warn
from runbooks.observations import Region
from runbooks.observations.dispatches import moment
from runbooks.observations.logs import Line

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
USAGE_DELAY = 30  # seconds by which a key's `lastUsedAt` may be later than its use: uses are written together


@dataclass(frozen=True)
class Wrong:
    """A key that is not good: what shows it, its last refusal if the log has one, and what mends it."""

    evidence: Evidence
    refused: Line | None
    command: str


def refusals(region: Region, code: str) -> dict[str, Line]:
    """The last refusal for this reason of each key, by the key's prefix; "" for those without one."""
    found: dict[str, Line] = {}
    for line in sorted(region.logs.events("auth-refused"), key=lambda line: line.time):
        if line.fields.get("code") == code:
            found[str(line.fields.get("keyPrefix") or "")] = line
    return found


def with_prefix(region: Region, prefix: str) -> list[Answer]:
    """The records of the keys that start so."""
    return [key for key in region.access.api_keys() if prefix and key.get("keyPrefix") == prefix]


def expired(key: Answer, now: datetime) -> bool:
    expires = moment(key.get("expiresAt"))
    return expires is not None and expires <= now


def _judge(region: Region, wrong: dict[str, Wrong], nothing: str) -> Judgement:
    """A failure when the environment's own key is among the wrong ones; another caller's is a warning."""
    if not wrong:
        return ok(nothing)
    mine = region.client.key_prefix
    if mine and mine in wrong:
        own, others = wrong[mine], [w.evidence for prefix, w in wrong.items() if prefix != mine]
        told = fail(f"the key in OUTPOST_API_KEY ({mine}...): {own.evidence.saw}", own.evidence, *others[:2])
        return told.then(own.command)
    newest = max(wrong.values(), key=lambda w: w.refused.time if w.refused else 0)
    seen = f"; last refused {region.logs.when(newest.refused)}" if newest.refused else ""
    summary = f"{len(wrong)} caller(s) refused; {newest.evidence.resource}: {newest.evidence.saw}{seen}"
    others = [w.evidence for w in wrong.values() if w is not newest]
    return warn(summary, newest.evidence, *others[:2]).then(newest.command)


def _suspects(region: Region, code: str) -> dict[str, Line | None]:
    """Keys to look at: the environment's own, and those that the log says were refused, and when."""
    seen: dict[str, Line | None] = {region.client.key_prefix: None}
    return {prefix: line for prefix, line in (seen | refusals(region, code)).items() if prefix}


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
    create = by_hand.inv(region, "keys.create", "--tenant", "TENANT", "--scopes", "dispatch,status")
    wrong = {
        prefix: Wrong(
            Evidence("dynamodb:Scan", f"key {prefix}...", "no such key", f"a record in {table}"), line, create
        )
        for prefix, line in _suspects(region, "key-not-found").items()
        if not with_prefix(region, prefix)
    }
    shapeless = [
        line
        for line in region.logs.events("auth-refused")
        if line.fields.get("code") == "key-not-found" and not line.fields.get("keyPrefix")
    ]
    if shapeless:
        saw = f"{len(shapeless)} request(s) with something else"
        evidence = Evidence("logs:FilterLogEvents", "keys that were sent", saw, "otp_ and 64 hex digits")
        wrong[""] = Wrong(evidence, max(shapeless, key=lambda line: line.time), create)
    for line in region.logs.events("auth-throttled"):  # from then on its wrong keys are not told one by one
        address = str(line.fields.get("source") or "")
        saw, expected = "more than 100 wrong keys in a minute: answered 429", "a valid key"
        evidence = Evidence("logs:FilterLogEvents", f"address {address}", saw, expected)
        wrong[f"address {address}"] = Wrong(evidence, line, create)
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
    for prefix, line in _suspects(region, "key-revoked").items():
        keys = with_prefix(region, prefix)
        if keys and all(key.get("status") != "active" for key in keys):
            who = f"key {keys[0]['apiKeyId']} of {keys[0].get('tenantId')} ({prefix}...)"
            evidence = Evidence("dynamodb:Scan", who, f"status {keys[0].get('status')}", "active")
            wrong[prefix] = Wrong(evidence, line, _another(region, keys[0]))
    return _judge(region, wrong, "no revoked key was sent")


def _another(region: Region, key: Answer) -> str:
    """A key like this one, for the same tenant."""
    scopes = ",".join(sorted(key.get("scopes") or ())) or "dispatch,status"
    return by_hand.inv(region, "keys.create", "--tenant", str(key.get("tenantId")), "--scopes", scopes)


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
    for prefix, line in _suspects(region, "key-expired").items():
        keys = [key for key in with_prefix(region, prefix) if key.get("status") == "active"]
        if keys and all(expired(key, now) for key in keys):
            saw, wanted = f"expiresAt {keys[0]['expiresAt']}", f"after {now.isoformat(timespec='seconds')}"
            who = f"key {keys[0]['apiKeyId']} of {keys[0].get('tenantId')} ({prefix}...)"
            rotate = by_hand.inv(region, "keys.rotate", "--key", str(keys[0]["apiKeyId"]))
            wrong[prefix] = Wrong(Evidence("dynamodb:Scan", who, saw, wanted), line, rotate)
    return _judge(region, wrong, "no expired key was sent")


def _succeeded_since(region: Region, line: Line) -> bool:
    """Whether the key that came in the wrong header was taken later: its caller has found the right one."""
    refused = line.time / 1000 + USAGE_DELAY
    used = (
        moment(key.get("lastUsedAt")) for key in with_prefix(region, str(line.fields.get("keyPrefix") or ""))
    )
    return any(at is not None and at.timestamp() > refused for at in used)


@RUNBOOK.cause(
    "wrong-header",
    guide="Wrong header",
    solution="Use `X-API-Key` header.",
    steps="Tell whoever holds the key that the evidence names; once the API took it, this ends in a minute.",
)
def wrong_header(region: Region) -> Judgement:
    """The key is not sent as `X-API-Key` or as a bearer token."""
    lines = [line for line in region.logs.events("auth-refused") if line.fields.get("code") == "wrong-header"]
    left = sorted((line for line in lines if not _succeeded_since(region, line)), key=lambda line: line.time)
    if not left:
        since = f"; those of {len(lines)} request(s) that had were taken later" if lines else ""
        return ok(f"no request came without a key in a header that counts{since}")
    sent_in = next((str(line.fields["sentIn"]) for line in reversed(left) if line.fields.get("sentIn")), "")
    route = left[-1].fields.get("route", "")
    prefix = str(left[-1].fields.get("keyPrefix") or "")
    whose = [f"key {key['apiKeyId']} of {key.get('tenantId')}" for key in with_prefix(region, prefix)]
    whose += [f"an unknown key ({prefix}...)"] if prefix and not whose else []
    told = warn(
        f"{len(left)} request(s) without X-API-Key or a bearer token, last on {route} "
        f"{region.logs.when(left[-1])}{', '.join(['', *whose])}",
        Evidence(
            "logs:FilterLogEvents",
            ", ".join([f"request {route}", *whose]),
            f"a key in `{sent_in}`" if sent_in else "no key in a header",
            "X-API-Key, or a bearer token",
        ),
    )
    return told.then(by_hand.try_key(region))
