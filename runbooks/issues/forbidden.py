"""403 Forbidden: the key is good, and lacks the scope."""

from __future__ import annotations

from runbooks.alarms import LogAlarm
from runbooks.looking import Answer
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, warn
from runbooks.observations import Region

RUNBOOK = Runbook(
    issue="forbidden",
    title="403 Forbidden",
    section="Authentication",
    symptoms=("API returns 403", 'Message: "Insufficient scope"'),
    alarm=LogAlarm(
        log_group="/ecs/outpost-control-plane", pattern='{ $.event = "scope-missing" }', threshold=10
    ),
    severity=Severity.CALLER,
)

ALL = "admin"  # the scope that holds every other


def _lacks(key: Answer, scope: str) -> bool:
    scopes = set(key.get("scopes") or ())
    return scope not in scopes and ALL not in scopes


def _judge(region: Region, scope: str) -> Judgement:
    """Keys that were refused for a scope and still lack it: the environment's own is a failure."""
    refused = {}
    for line in region.logs.events("scope-missing"):
        if line.fields.get("scope") == scope:
            refused[line.fields.get("apiKeyId")] = line.fields
    lacking = [key for key in region.access.api_keys() if key["apiKeyId"] in refused and _lacks(key, scope)]
    if not lacking:
        return ok(f"no key was refused for want of `{scope}` that still lacks it")
    evidence = []
    for key in lacking[:3]:
        route = refused[key["apiKeyId"]].get("route", "")
        scopes = ", ".join(key.get("scopes") or ()) or "none"
        evidence += [
            Evidence(
                "logs:FilterLogEvents", f"key {key['apiKeyId']} on {route}", "403", f"the scope {scope}"
            ),
            Evidence("dynamodb:Scan", f"key {key['apiKeyId']}", f"scopes {scopes}", f"{scope}, or {ALL}"),
        ]
    summary = f"{len(lacking)} key(s) lack `{scope}`, first {lacking[0]['apiKeyId']}"
    mine = region.client.key_prefix
    if any(mine and key.get("keyPrefix") == mine for key in lacking):
        return fail(f"{summary}; the key in OUTPOST_API_KEY is one of them", *evidence)
    return warn(summary, *evidence)


@RUNBOOK.cause(
    "missing-dispatch-scope",
    guide="`dispatch`: POST /dispatch",
    solution="Update key scopes.",
    steps="./inv keys.scopes --key ID --scopes dispatch,status (the evidence has the id).",
)
def missing_dispatch_scope(region: Region) -> Judgement:
    """A key without the scope `dispatch` posts a dispatch."""
    return _judge(region, "dispatch")


@RUNBOOK.cause(
    "missing-status-scope",
    guide="`status`: GET /dispatch/:id",
    solution="Update key scopes.",
    steps="./inv keys.scopes --key ID --scopes dispatch,status (the evidence has the id).",
)
def missing_status_scope(region: Region) -> Judgement:
    """A key without the scope `status` reads a dispatch."""
    return _judge(region, "status")


@RUNBOOK.cause(
    "missing-promote-scope",
    guide="`promote`: POST /promote",
    solution="Update key scopes.",
    steps="./inv keys.scopes --key ID --scopes dispatch,status,promote (the evidence has the id).",
)
def missing_promote_scope(region: Region) -> Judgement:
    """A key without the scope `promote` promotes changes."""
    return _judge(region, "promote")


@RUNBOOK.cause("missing-admin-scope", guide="`admin`: fleet operations", solution="Use admin key.")
def missing_admin_scope(region: Region) -> Judgement:
    """A key without the scope `admin` calls an operation of the fleet."""
    return _judge(region, ALL)
