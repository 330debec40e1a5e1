"""MCP not connecting: the coding assistant's tool calls to Outpost fail.

Judged on the reader's machine: the assistant's configuration, the environment, and what the API answers.
"""

from __future__ import annotations

from runbooks.alarms import ClientSignal
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, skipped, unknown, warn
from runbooks.observations import Region

RUNBOOK = Runbook(
    issue="mcp-not-connecting",
    title="MCP not connecting",
    section="Integration",
    symptoms=("MCP tool calls fail", '"Connection refused" errors'),
    alarm=ClientSignal(text="no alarm: it shows on the client's machine, where `./inv diagnose` looks."),
    severity=Severity.CALLER,
)

NOT_CONFIGURED = "no MCP server of Outpost is configured here"


def endpoints(region: Region) -> dict[str, str]:
    """Where the assistant's configuration and the environment say that the API is."""
    found = {}
    server = region.client.server()
    if server and server["env"].get("OUTPOST_API_URL"):
        found[f"{region.client.configuration_path()} ({server['name']})"] = str(
            server["env"]["OUTPOST_API_URL"]
        )
    if region.target.api_url:
        found["environment"] = region.target.api_url
    return {where: url.rstrip("/") for where, url in found.items()}


@RUNBOOK.cause(
    "wrong-endpoint",
    guide="Wrong endpoint",
    solution="Update OUTPOST_API_URL.",
    explains=("client-failing/connection-timeout",),
)
def wrong_endpoint(region: Region) -> Judgement:
    """OUTPOST_API_URL does not lead to the API."""
    urls = endpoints(region)
    if not urls:
        return skipped("OUTPOST_API_URL is set neither in the environment nor for an MCP server")
    wrong = []
    for where, url in urls.items():
        answer = region.balancer.api_health(url)
        document = answer["document"] or {}
        if "status" in document and "version" in document:
            continue
        saw = answer.get("error") or f"HTTP {answer.get('status')}, not Outpost's /health"
        if answer.get("error", "").startswith("no answer") or answer.get("status") in (502, 503, 504):
            continue  # the right address for all that is known: client-failing, health-check-failing
        wrong.append(Evidence("http:Get", f"{url}/health, from {where}", saw, "Outpost's status and version"))
    if not wrong:
        return ok(f"{', '.join(urls.values())} leads to the API")
    return fail(f"OUTPOST_API_URL in {wrong[0].resource}: {wrong[0].saw}", *wrong)


@RUNBOOK.cause("old-ssm-config", guide="Old SSM config", solution="Remove OUTPOST_SSM_INSTANCE.")
def old_ssm_config(region: Region) -> Judgement:
    """OUTPOST_SSM_INSTANCE is still set, from the time before the API."""
    variable = "OUTPOST_SSM_INSTANCE"
    evidence = []
    if region.client.environment().get(variable):
        evidence.append(Evidence("client:Environment", "environment", f"{variable} is set", "not set"))
    server = region.client.server()
    if server and variable in server["env"]:
        where = f"{region.client.configuration_path()} ({server['name']})"
        evidence.append(Evidence("client:Configuration", where, f"{variable} is set", "not set"))
    if not evidence:
        return ok(f"{variable} is not set")
    return fail(f"{variable} is set in {evidence[0].resource}", *evidence)


@RUNBOOK.cause(
    "server-not-rebuilt",
    guide="MCP server not rebuilt",
    solution="Update the MCP server's checkout: git pull, then ./inv (it makes its locked environment anew).",
)
def server_not_rebuilt(region: Region) -> Judgement:
    """The installed MCP server is older than the API."""
    server = region.client.server()
    if server is None:
        return skipped(NOT_CONFIGURED)
    installed = region.client.installed_version(server)
    document = region.balancer.api_health()["document"] or {}
    running = str(document.get("version") or "")
    if not installed or not running:
        return unknown(f"versions not known: installed {installed or '?'}, API {running or '?'}")
    if _number(installed) >= _number(running):
        return ok(f"the MCP server is {installed}, the API {running}")
    return fail(
        f"the MCP server is {installed}, the API {running}",
        Evidence("client:Version", server["name"], installed, f"{running} or newer"),
        Evidence("http:Get", "/health", running, installed),
    )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


@RUNBOOK.cause("client-not-restarted", guide="Claude Code not restarted", solution="Restart Claude Code.")
def client_not_restarted(region: Region) -> Judgement:
    """The assistant started before its configuration changed."""
    server = region.client.server()
    if server is None:
        return skipped(NOT_CONFIGURED)
    started = region.client.assistant_started()
    if started is None:
        return ok("no assistant runs here that could hold an old configuration")
    if started >= server["changed"]:
        return ok("the assistant started after its configuration changed")
    behind = server["changed"] - started
    return warn(
        f"inferred: the assistant started {behind:.0f} s before its configuration changed; "
        "the change may concern something else",
        Evidence(
            "client:Processes",
            "the assistant",
            f"started {behind:.0f} s before the change",
            "a start after it",
        ),
        direct=False,
    )
