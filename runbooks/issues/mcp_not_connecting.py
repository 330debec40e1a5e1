"""MCP not connecting: the coding assistant's tool calls to Outpost fail.

Judged on the reader's machine: the assistant's configuration, the environment, the processes that run, and
what the API answers.
"""

from __future__ import annotations

from runbooks.alarms import ClientSignal
from runbooks.looking import Answer
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
URL, SSM = "OUTPOST_API_URL", "OUTPOST_SSM_INSTANCE"
UNDECIDED = ("connect", "silent")  # the address may be right: client-failing/connection-timeout judges it
GATEWAY_ERRORS = (502, 503, 504)  # the load balancer's, for a control plane that is not healthy


def _place(region: Region, server: Answer) -> str:
    return f"{region.client.configuration_path()} ({server['name']})"


def endpoints(region: Region) -> dict[str, str]:
    """Where the assistant's configuration and the environment say that the API is, by who says so."""
    found = {}
    server = region.client.server()
    if server and server["env"].get(URL):
        found[_place(region, server)] = str(server["env"][URL])
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
    server = region.client.server()
    wrong = []
    if server and not server["url"] and not urls:
        wrong.append(
            Evidence("client:Configuration", _place(region, server), f"{URL} is not set", "the API's URL")
        )
    elif not urls:
        return skipped(f"{URL} is set neither in the environment nor for an MCP server")
    for where, url in urls.items():
        answer = region.balancer.api_health(url)
        document = answer["document"] or {}
        if "status" in document and "version" in document:
            continue
        if answer.get("failed") in UNDECIDED or answer.get("status") in GATEWAY_ERRORS:
            continue
        saw = answer.get("error") or f"HTTP {answer.get('status')}, not Outpost's /health"
        wrong.append(Evidence("http:Get", f"{url}/health, from {where}", saw, "Outpost's status and version"))
    if not wrong:
        return ok(f"{', '.join(urls.values())}: nothing says that this is not the API's address")
    return fail(f"{URL} in {wrong[0].resource}: {wrong[0].saw}", *wrong)


@RUNBOOK.cause("old-ssm-config", guide="Old SSM config", solution="Remove OUTPOST_SSM_INSTANCE.")
def old_ssm_config(region: Region) -> Judgement:
    """OUTPOST_SSM_INSTANCE is still set, from the time before the API."""
    evidence = []
    if region.client.environment().get(SSM):
        evidence.append(Evidence("client:Environment", "environment", f"{SSM} is set", "not set"))
    server = region.client.server()
    if server and SSM in server["env"]:
        evidence.append(Evidence("client:Configuration", _place(region, server), f"{SSM} is set", "not set"))
    if evidence:
        return fail(f"{SSM} is set in {evidence[0].resource}", *evidence)
    return ok(f"{SSM} is not set") if server else skipped(NOT_CONFIGURED)


@RUNBOOK.cause(
    "server-not-rebuilt",
    guide="MCP server not rebuilt",
    solution="Update the checkout of the MCP server and build it: git pull, then ./inv or npm run build.",
)
def server_not_rebuilt(region: Region) -> Judgement:
    """The installed MCP server is older than its source, or than the API."""
    server = region.client.server()
    if server is None:
        return skipped(NOT_CONFIGURED)
    if server["url"] and not server["paths"]:
        return skipped("the MCP server is reached over HTTP: nothing of it is installed here")
    installed = region.client.installed(server)
    if installed is None:
        return unknown("where the MCP server is installed cannot be told from its command line")
    place = ", ".join(server["paths"])
    if installed["behind"] > 0:
        return warn(
            f"inferred: what runs was built {installed['behind']:.0f} s before its source changed last; "
            "the change may be one that matters to nobody",
            Evidence("client:Version", place, f"built {installed['behind']:.0f} s earlier", "built after it"),
            direct=False,
        )
    if not installed["version"]:
        return ok("what runs was built after its source changed last")
    document = region.balancer.api_health()["document"] or {}
    running = str(document.get("version") or "")
    if not running:
        return unknown(f"the MCP server is {installed['version']}; the API's version is not known")
    if _number(installed["version"]) >= _number(running):
        return ok(f"the MCP server is {installed['version']}, the API {running}")
    return warn(
        f"inferred: the MCP server is {installed['version']}, the API {running}; "
        "not every new version changes what the tools need",
        Evidence("client:Version", place, installed["version"], f"{running} or newer"),
        Evidence("http:Get", "/health", running, installed["version"]),
        direct=False,
    )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


@RUNBOOK.cause("client-not-restarted", guide="Claude Code not restarted", solution="Restart Claude Code.")
def client_not_restarted(region: Region) -> Judgement:
    """The assistant runs an MCP server with settings from before its configuration changed."""
    server = region.client.server()
    if server is None:
        return skipped(NOT_CONFIGURED)
    seen = region.client.processes(server)
    if not seen["assistants"]:
        return skipped("no assistant runs here that could hold an old configuration")
    if not seen["visible"]:
        return skipped("this system does not show the settings of a running MCP server")
    if server["url"] and not server["paths"]:
        return skipped("the MCP server is reached over HTTP: the assistant runs none of it")
    if not seen["servers"]:
        return _not_started(server, max(seen["assistants"]))
    expected = {
        URL: _address(server["env"].get(URL)),
        SSM: server["env"].get(SSM) or region.client.environment().get(SSM) or "",
    }
    for running in seen["servers"]:
        for variable, wanted in expected.items():
            has = _address(running["env"].get(variable))
            if has == wanted or (variable == URL and not wanted):
                continue  # without a URL of its own, the server has the assistant's
            ago = region.target.now.timestamp() - running["started"]
            return warn(
                f"inferred: the MCP server that runs has another {variable} than the configuration; "
                "it may be one of another project",
                Evidence(
                    "client:Processes",
                    f"{server['name']}, process {running['pid']}",
                    f"{variable}={has or '(not set)'}, started {ago:.0f} s ago",
                    f"{variable}={wanted or '(not set)'}",
                ),
                direct=False,
            )
    return ok("the MCP server that runs has the settings of the configuration")


def _address(value: str | None) -> str:
    return (value or "").rstrip("/")


def _not_started(server: Answer, started: float) -> Judgement:
    """The assistant runs without the server: started before the configuration had it, perhaps."""
    behind = server["changed"] - started
    if behind <= 0 or server["project"]:
        return ok("the assistants here run no MCP server of Outpost, nor need to")
    return warn(
        f"inferred: the assistant started {behind:.0f} s before its configuration changed and runs no "
        "MCP server of Outpost; it writes that file for its own purposes too",
        Evidence(
            "client:Processes", "the assistant", f"started {behind:.0f} s before the change", "a start after"
        ),
        Evidence("client:Processes", server["name"], "does not run", "runs as a child of the assistant"),
        direct=False,
    )
