"""Client failing: a program that dispatches through the API gets errors or no answer."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict

from runbooks.alarms import LogAlarm
from runbooks.issues.mcp_not_connecting import UNDECIDED, endpoints
from runbooks.issues.unauthorized import expired, with_prefix
from runbooks.looking import Answer, CouldNotLook
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, skipped, unknown, warn
from runbooks.observations import Region
from runbooks.observations.logs import Line

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

NO_CLIENT = "no client is configured here: OUTPOST_API_URL is not set"
SHUT_OUT = "too-many-invalid-keys"  # the code of a 429 that says nothing about the key that was sent
LISTENERS = (80, 443)  # TCP ports of the load balancer


def _closed(region: Region) -> list[Evidence]:
    """The load balancer's security group, when it lets nobody in at all."""
    name = region.names.load_balancer_security_group
    for group in region.network.security_groups().values():
        if group.get("GroupName") == name and not any(_admits(r) for r in group.get("IpPermissions", [])):
            ports = " or ".join(map(str, LISTENERS))
            return [
                Evidence(
                    "ec2:DescribeSecurityGroups",
                    region.network.label(group["GroupId"]),
                    "no ingress rule",
                    f"ingress on TCP {ports}",
                )
            ]
    return []


def _admits(rule: dict[str, object]) -> bool:
    if rule.get("IpProtocol") == "-1":
        return True
    low, high = rule.get("FromPort"), rule.get("ToPort")
    return isinstance(low, int) and isinstance(high, int) and any(low <= port <= high for port in LISTENERS)


@RUNBOOK.cause(
    "connection-timeout",
    guide="Connection timeout",
    solution="Check network/firewall: the load balancer's security group, then what lies before it.",
    steps=(
        "The program lets everybody in (CIDR 0.0.0.0/0), and somebody may have closed it on purpose. "
        "Decide whom to let in: aws ec2 authorize-security-group-ingress --group-id GROUP --protocol "
        "tcp --port 80 --cidr CIDR, with port 443 where it has a certificate."
    ),
)
def connection_timeout(region: Region) -> Judgement:
    """The API does not answer in time: network or firewall."""
    closed = _closed(region)
    urls = endpoints(region)
    evidence = [
        Evidence("http:Get", f"{url}/health, from {where}", str(answer["error"]), "an answer")
        for where, url in urls.items()
        if (answer := region.balancer.api_health(url)).get("failed") in UNDECIDED
    ]
    if closed:
        return fail(
            f"the load balancer's security group {closed[0].resource} lets nobody in", *closed, *evidence
        ).then(
            "aws ec2 authorize-security-group-ingress --protocol tcp --port 80 --cidr CIDR --group-id "
            + closed[0].resource.partition(" ")[0]
        )
    if not urls:
        return skipped(NO_CLIENT)
    if not evidence:
        return ok(f"{', '.join(urls.values())} answers, or refuses, in time")
    return fail(f"{evidence[0].resource}: {evidence[0].saw}", *evidence)


@RUNBOOK.cause("authentication-error", guide="Authentication error", solution="Verify API key in env.")
def authentication_error(region: Region) -> Judgement:
    """The environment has no API key, or one that the API refuses."""
    if not region.target.api_url:
        return skipped(NO_CLIENT)
    if not region.client.has_key:
        return fail(
            "OUTPOST_API_KEY is not set, and OUTPOST_API_URL is",
            Evidence("client:Environment", "OUTPOST_API_KEY", "not set", "an API key"),
        )
    if not region.client.key_well_formed:
        return fail(
            "OUTPOST_API_KEY is not an API key of Outpost",
            Evidence("client:Environment", "OUTPOST_API_KEY", "another form", "otp_ and 64 hex digits"),
        )
    if _may_not_ask(region):
        return ok("the key in OUTPOST_API_KEY is recorded as valid")
    url = region.target.api_url + "/fleet"
    answer = region.client.get(url, authenticated=True)
    match answer.get("status"):
        case 429 if _code(answer) == SHUT_OUT:
            return unknown(f"GET {url} answers nobody at this address: it sent too many wrong keys")
        case 401:
            return fail(
                f"the API refuses the key in OUTPOST_API_KEY ({region.client.key_prefix}...)",
                Evidence("http:Get", url, "401 Invalid API key", "200"),
            )
        case 200 | 403 | 429:  # all of them answers to a caller that is known
            return ok(f"the key in OUTPOST_API_KEY is accepted ({answer['status']})")
    return unknown(f"GET {url} says nothing about the key: {answer.get('error') or answer.get('status')}")


def _code(answer: Answer) -> str:
    """The stable code of a problem that the API answered with; empty for any other answer."""
    try:
        return str(json.loads(answer.get("body") or "null")["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _may_not_ask(region: Region) -> bool:
    """Whether the key is on record, valid, and without the scope to ask: asking would log a refusal."""
    try:
        keys = with_prefix(region, region.client.key_prefix)
    except CouldNotLook:
        return False  # whoever may not read the keys can still ask the API
    return any(
        key.get("status") == "active"
        and not expired(key, region.target.now)
        and not {"status", "admin"} & set(key.get("scopes") or ())
        for key in keys
    )


@RUNBOOK.cause("rate-limited", guide="Rate limited", solution="Add retry logic: wait as `Retry-After` says.")
def rate_limited(region: Region) -> Judgement:
    """A client sends more requests than its key may."""
    limited: dict[str, list[Line]] = defaultdict(list)
    for line in sorted(region.logs.events("rate-limited"), key=lambda line: line.time):
        limited[str(line.fields.get("apiKeyId"))].append(line)
    if not limited:
        return ok("no key was rate limited")
    hasty = {key: _hasty(lines) for key, lines in limited.items()}
    worst = sorted(limited, key=lambda key: (hasty[key], len(limited[key])), reverse=True)
    evidence = [
        Evidence(
            "logs:FilterLogEvents",
            f"key {key}",
            f"{len(limited[key])} x 429, last with Retry-After {_wait(limited[key][-1]):g} s; "
            f"{hasty[key]} came before the wait was over",
            "requests within the key's limit, and a wait after a 429",
        )
        for key in worst[:3]
    ]
    does = "does not wait as Retry-After says" if hasty[worst[0]] else "is told to wait"
    summary = f"{sum(map(len, limited.values()))} request(s) were answered 429; key {worst[0]} {does}"
    mine = region.client.key_prefix
    if mine and any(
        hasty[key] and any(line.fields.get("keyPrefix") == mine for line in limited[key]) for key in worst
    ):
        return fail(f"{summary}; the key in OUTPOST_API_KEY is among them", *evidence)
    return warn(summary, *evidence)


def _hasty(lines: list[Line]) -> int:
    """Refused requests that came before the wait, which the refusal before them asked for, was over."""
    return sum(
        (after.time - before.time) / 1000 < _wait(before) for before, after in itertools.pairwise(lines)
    )


def _wait(refusal: Line) -> float:
    """Seconds that a refusal asks to wait."""
    return float(refusal.fields.get("retryAfter") or 0)
