"""MCP: the assistant's configuration, what is installed and what runs."""

from typing import Any

import pytest

from runbooks.model import Verdict
from runbooks.run import diagnose
from tests.runbooks.judging import URL, assert_root, judged
from tests.runbooks.world import NOW, World, target

CHANGED = NOW.timestamp() - 600


def configure(world: World, *, project: str = "", url: str = "", **environment: str) -> None:
    world.configuration = {
        "changed": CHANGED,
        "servers": [
            {
                "name": "mcpify",
                "project": project,
                "paths": ["/opt/mcpify/serve"],
                "url": url,
                "env": {"OUTPOST_API_URL": URL} | environment,
            }
        ],
    }


def test_no_assistant_configured_is_no_finding(world: World) -> None:
    for cause in ("wrong-endpoint", "old-ssm-config", "server-not-rebuilt", "client-not-restarted"):
        assert judged(world, f"mcp-not-connecting/{cause}").judgement.verdict is Verdict.SKIPPED


def test_a_configured_server_that_works_is_no_finding(world: World) -> None:
    configure(world)
    assert diagnose(target(), world).findings == ()


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "connection refused", "failed": "refused"},
        {"error": "no such host", "failed": "name"},
        {"status": 200, "body": "<html>"},
        {"status": 404, "body": "{}"},
    ],
)
def test_an_address_that_is_not_the_apis(world: World, answer: dict[str, Any]) -> None:
    configure(world)
    world.http[f"{URL}/health"] = answer
    assert_root(world, "mcp-not-connecting/wrong-endpoint", Verdict.FAIL)


def test_a_server_without_an_address(world: World) -> None:
    configure(world, OUTPOST_API_URL="")
    assert_root(world, "mcp-not-connecting/wrong-endpoint", Verdict.FAIL)


@pytest.mark.parametrize("answer", [{"status": 503, "body": ""}, {"error": "late", "failed": "silent"}])
def test_an_api_that_is_down_may_still_have_this_address(world: World, answer: dict[str, Any]) -> None:
    configure(world)
    world.http[f"{URL}/health"] = answer
    assert judged(world, "mcp-not-connecting/wrong-endpoint").judgement.verdict is Verdict.OK


def test_the_old_setting_in_either_place(world: World) -> None:
    configure(world, OUTPOST_SSM_INSTANCE="i-0123")
    assert_root(world, "mcp-not-connecting/old-ssm-config", Verdict.FAIL)
    other = World()
    other.variables = {"OUTPOST_SSM_INSTANCE": "i-0123"}
    assert_root(other, "mcp-not-connecting/old-ssm-config", Verdict.FAIL)


@pytest.mark.parametrize(
    "installed", [{"version": "1.9.0", "behind": 0.0}, {"version": "", "behind": 3600.0}]
)
def test_an_old_server_is_inferred(world: World, installed: dict[str, Any]) -> None:
    configure(world)
    world.installed = installed
    report = assert_root(world, "mcp-not-connecting/server-not-rebuilt", Verdict.WARN)
    assert report.findings[0].judgement.summary.startswith("inferred")


def test_a_server_that_is_not_found_is_unknown(world: World) -> None:
    configure(world)
    world.installed = None
    assert judged(world, "mcp-not-connecting/server-not-rebuilt").judgement.verdict is Verdict.UNKNOWN


def test_a_server_reached_over_http_is_not_installed_here(world: World) -> None:
    configure(world, url="https://api.example/mcp")
    world.configuration["servers"][0]["paths"] = []  # type: ignore[index]
    for cause in ("server-not-rebuilt", "client-not-restarted"):
        assert judged(world, f"mcp-not-connecting/{cause}").judgement.verdict is Verdict.SKIPPED


def running(world: World, *, started: float, servers: list[dict[str, str]]) -> None:
    world.processes = {
        "assistants": [started],
        "servers": [{"pid": 4711, "started": started, "env": env} for env in servers],
        "visible": True,
    }


def test_a_server_that_runs_with_other_settings(world: World) -> None:
    configure(world)
    running(world, started=CHANGED - 60, servers=[{"OUTPOST_API_URL": "http://old.example"}])
    report = assert_root(world, "mcp-not-connecting/client-not-restarted", Verdict.WARN)
    evidence = report.findings[0].judgement.evidence[0]
    assert "http://old.example" in evidence.saw
    assert "process 4711" in evidence.resource


def test_a_server_that_was_added_and_not_started(world: World) -> None:
    configure(world)
    running(world, started=CHANGED - 60, servers=[])
    assert_root(world, "mcp-not-connecting/client-not-restarted", Verdict.WARN)


@pytest.mark.parametrize("started", [CHANGED - 60, CHANGED + 60])
def test_a_server_that_runs_as_configured_is_no_finding(world: World, started: float) -> None:
    configure(world)  # the assistant writes its file all the time: its age alone says nothing
    running(world, started=started, servers=[{"OUTPOST_API_URL": URL + "/"}])
    assert judged(world, "mcp-not-connecting/client-not-restarted").judgement.verdict is Verdict.OK


def test_a_server_of_another_project_need_not_run(world: World) -> None:
    configure(world, project="/home/someone/project")
    running(world, started=CHANGED - 60, servers=[])
    assert judged(world, "mcp-not-connecting/client-not-restarted").judgement.verdict is Verdict.OK
