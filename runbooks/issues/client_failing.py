"""Client failing: a program that dispatches through the API gets errors or no answer."""

from __future__ import annotations

from runbooks.alarms import LogAlarm
from runbooks.issues.mcp_not_connecting import endpoints
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, skipped, warn
from runbooks.observations import Region

RUNBOOK = Runbook(
    issue="client-failing",
    title="Client dispatch failing",
    section="Integration",
    symptoms=("The client runs but its dispatch fails", "Python client timeout"),
    alarm=LogAlarm(
        log_group="/ecs/outpost-control-plane", pattern='{ $.event = "rate-limited" }', threshold=20
    ),
    severity=Severity.CALLER,
)


@RUNBOOK.cause("connection-timeout", guide="Connection timeout", solution="Check network/firewall.")
def connection_timeout(region: Region) -> Judgement:
    """The API does not answer in time: network or firewall."""
    urls = endpoints(region)
    if not urls:
        return skipped("no client is configured here: OUTPOST_API_URL is not set")
    evidence = []
    for where, url in urls.items():
        error = str(region.balancer.api_health(url).get("error", ""))
        if error.startswith("no answer"):
            evidence.append(Evidence("http:Get", f"{url}/health, from {where}", error, "an answer"))
    if not evidence:
        return ok(f"{', '.join(urls.values())} answers, or refuses, in time")
    return fail(f"{evidence[0].resource}: {evidence[0].saw}", *evidence)


@RUNBOOK.cause("authentication-error", guide="Authentication error", solution="Verify API key in env.")
def authentication_error(region: Region) -> Judgement:
    """The environment has no API key, or one that the API refuses."""
    if not region.target.api_url:
        return skipped("no client is configured here: OUTPOST_API_URL is not set")
    if not region.client.has_key:
        return fail(
            "OUTPOST_API_KEY is not set, and OUTPOST_API_URL is",
            Evidence("client:Environment", "OUTPOST_API_KEY", "not set", "an API key"),
        )
    answer = region.client.get(region.target.api_url + "/fleet", authenticated=True)
    if answer.get("status") == 401:
        return fail(
            "the API refuses the key in OUTPOST_API_KEY",
            Evidence("http:Get", f"{region.target.api_url}/fleet", "401 Invalid API key", "200"),
        )
    return ok("the key in OUTPOST_API_KEY is accepted, or was not what failed")


@RUNBOOK.cause("rate-limited", guide="Rate limited", solution="Add retry logic: wait as `Retry-After` says.")
def rate_limited(region: Region) -> Judgement:
    """A client sends more requests than its key may."""
    lines = region.logs.events("rate-limited")
    if not lines:
        return ok("no key was rate limited")
    keys = sorted({str(line.fields.get("apiKeyId")) for line in lines})
    last = lines[-1].fields
    return warn(
        f"{len(lines)} request(s) of {', '.join(keys[:3])} were answered 429",
        Evidence(
            "logs:FilterLogEvents",
            f"key {last.get('apiKeyId')}",
            f"429, Retry-After {last.get('retryAfter')} s",
            "requests within the key's limit",
        ),
    )
