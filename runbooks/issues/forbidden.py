"""403 Forbidden: the key is good, and lacks the scope."""

from __future__ import annotations

from functools import partial

from outpost.api_keys import Scope
from runbooks import by_hand
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

ALL = Scope.ADMIN  # the scope that holds every other


def _lacks(key: Answer, scope: str) -> bool:
    scopes = set(key.get("scopes") or ())
    return scope not in scopes and ALL not in scopes


def _judge(region: Region, scope: str) -> Judgement:
    """Keys that were refused for a scope and still lack it: the environment's own is a failure."""
    refused = {}
    for line in region.logs.events("scope-missing"):  # oldest first: the last refusal of each key stays
        if line.fields.get("scope") == scope:
            refused[line.fields.get("apiKeyId")] = line
    lacking = [key for key in region.access.api_keys() if key["apiKeyId"] in refused and _lacks(key, scope)]
    if not lacking:
        return ok(f"no key was refused for want of `{scope}` that still lacks it")
    lacking.sort(key=lambda key: refused[key["apiKeyId"]].time, reverse=True)
    evidence = []
    for key in lacking[:3]:
        line = refused[key["apiKeyId"]]
        scopes = ", ".join(key.get("scopes") or ()) or "none"
        where = f"key {key['apiKeyId']} of {key.get('tenantId')} on {line.fields.get('route', '')}"
        evidence += [
            Evidence(
                "logs:FilterLogEvents", where, f"403, last {region.logs.when(line)}", f"the scope {scope}"
            ),
            Evidence("dynamodb:Scan", f"key {key['apiKeyId']}", f"scopes {scopes}", f"{scope}, or {ALL}"),
        ]
    newest = lacking[0]["apiKeyId"]
    summary = (
        f"{len(lacking)} key(s) lack `{scope}`, last refused: {newest} {region.logs.when(refused[newest])}"
    )
    mine = region.client.key_prefix
    if any(mine and key.get("keyPrefix") == mine for key in lacking):
        judgement = fail(f"{summary}; the key in OUTPOST_API_KEY is one of them", *evidence)
    else:
        judgement = warn(summary, *evidence)
    if scope == ALL:  # a key that may do everything is made on purpose, and not by extending another
        return judgement
    return judgement.then(by_hand.scopes(region, newest, [*(lacking[0].get("scopes") or ()), scope]))


for _scope, _operation, _does in (
    (Scope.DISPATCH, "POST /dispatch", "posts a dispatch"),
    (Scope.STATUS, "GET /dispatch/:id", "reads a dispatch"),
    (Scope.PROMOTE, "POST /promote", "promotes changes"),
):
    RUNBOOK.cause(
        f"missing-{_scope}-scope",
        guide=f"`{_scope}`: {_operation}",
        solution="Update key scopes.",
        steps="./inv keys.scopes --key ID --scopes SCOPES gives a key the scopes that it is to have.",
        title=f"A key without the scope `{_scope}` {_does}",
    )(partial(_judge, scope=_scope))

RUNBOOK.cause(
    "missing-admin-scope",
    guide="`admin`: fleet operations",
    solution="Use admin key.",
    title="A key without the scope `admin` calls an operation of the fleet",
)(partial(_judge, scope=Scope.ADMIN))
