"""The report in every format: valid, readable, and without secrets."""

import io
import json
from contextlib import redirect_stdout
from html.parser import HTMLParser
from xml.etree import ElementTree

import jsonschema
import pytest

from runbooks.looking import CouldNotLook
from runbooks.report import annotations, document, html, junit, sarif, schema, terminal
from runbooks.report.changes import changes
from runbooks.run import Report, diagnose
from tests.runbooks.world import CONTROL, NOW, World, target, task

SECRETS = (
    "otp_" + "ab12" * 16,
    "sk-ant-api03-" + "Q" * 40,
    "ghp_" + "a1" * 18,
    "AKIAIOSFODNN7EXAMPLE",
    "hunter2-very-long",
)


@pytest.fixture
def failing(world: World) -> Report:
    """Two faults, a warning, and something that could not be looked at."""
    world.groups[CONTROL]["IpPermissions"] = []
    world.idle_timeout = "300"
    world.environment["AWS_MAX_ATTEMPTS"] = "1"
    world.put_control_plane(7)
    world.failing["service-quotas:GetServiceQuota"] = CouldNotLook(
        "service-quotas:GetServiceQuota", "denied", permission="servicequotas:GetServiceQuota"
    )
    return diagnose(target(), world)


def test_json_fits_the_published_schema(failing: Report) -> None:
    for everything in (False, True):
        printed = json.loads(document.render(failing, everything=everything))
        jsonschema.validate(printed, schema.SCHEMA)
    assert printed["verdict"] == "failing"
    assert [f["rank"] for f in printed["findings"]] == list(range(1, len(printed["findings"]) + 1))
    verdicts = [f["verdict"] for f in printed["findings"]]
    assert verdicts == sorted(verdicts, key=["FAIL", "WARN", "UNKNOWN"].index)
    assert len(printed["refuted"]) + len(failing.lit) + verdicts.count("UNKNOWN") == printed["checked"]


def test_json_of_a_healthy_stack(world: World) -> None:
    printed = json.loads(document.render(diagnose(target(), world)))
    jsonschema.validate(printed, schema.SCHEMA)
    assert (printed["verdict"], printed["findings"], printed["checked"]) == ("healthy", [], 59)


def test_terminal_fits_80_columns_without_colour(failing: Report) -> None:
    text = terminal.render(failing, terminal.Style(), everything=True)
    assert "\x1b" not in text
    # A single word may be longer than the line; it is not broken, so that it can be copied.
    assert [line for line in text.splitlines() if len(line) > 80 and " " in line.strip()] == []
    assert "dispatch-stuck-pending/egress-blocked" in text
    assert "servicequotas:GetServiceQuota" in text
    assert "\x1b" in terminal.render(failing, terminal.Style(colour=True))
    assert terminal.last_line(failing).startswith("failing: ")


def test_the_plan_shows_every_call(failing: Report) -> None:
    text = terminal.render(failing, terminal.Style(), plans=True)
    for finding in failing.findings:
        for action in finding.plan.actions if finding.plan else ():
            assert action.call.operation in text
    assert "AuthorizeSecurityGroupIngress" in text


def test_the_plan_shows_what_changes_in_a_document_not_the_whole_of_it(world: World) -> None:
    world.idle_timeout = "300"
    world.environment["KEEP_ALIVE_SECONDS"] = "60"
    world.put_control_plane(7)
    text = terminal.render(diagnose(target(), world), terminal.Style(), plans=True)
    assert "KEEP_ALIVE_SECONDS: 60 -> 305" in " ".join(text.split())
    assert "JOBS_TABLE" not in text


def test_changes_name_what_was_added_taken_away_and_altered() -> None:
    before = {
        "memory": "512",
        "secrets": [{"name": "A", "valueFrom": "x"}],
        "containers": [{"name": "c", "n": 1}],
    }
    after = {
        "memory": "1024",
        "secrets": [{"name": "B", "valueFrom": "y"}],
        "containers": [{"name": "c", "n": 1}],
    }
    assert changes(before, after) == [
        "memory: 512 -> 1024",
        "secrets A: x -> (none)",
        "secrets B: (none) -> y",
    ]


def test_junit(failing: Report) -> None:
    root = ElementTree.fromstring(junit.render(failing))
    cases = root.findall("./testsuite/testcase")
    assert len(cases) == 59
    failures = {
        f"{case.get('classname')}/{case.get('name')}" for case in cases if case.find("failure") is not None
    }
    assert "dispatch-stuck-pending/egress-blocked" in failures
    errors = [case.get("name") for case in cases if case.find("error") is not None]
    assert errors == ["vcpu-quota-exhausted"]
    for suite in root.findall("testsuite"):
        assert int(suite.get("failures", "")) == len(suite.findall("./testcase/failure"))


def test_sarif(failing: Report) -> None:
    run = json.loads(sarif.render(failing))["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == 59
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith(
            "runbooks/issues/"
        )
    assert run["invocations"][0]["exitCode"] == 3


class _Page(HTMLParser):
    """Tags that were opened and never closed, or closed out of order."""

    VOID = ("meta",)

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_html_has_a_timeline_and_charts(world: World) -> None:
    world.series["memory"] = [10.0, 50.0, 99.0]
    world.stopped = [
        task("dead", "STOPPED", world.service["taskDefinition"], exitCode=137, reason="OutOfMemoryError: x")
    ]
    world.service["events"] = [{"createdAt": NOW, "message": "(service x) <b>has</b> begun draining"}]
    page = _Page()
    text = html.render(diagnose(target(), world))
    page.feed(text)
    assert (page.open, page.wrong) == ([], [])
    assert {"svg", "polyline", "table"} <= page.seen
    assert "script" not in page.seen
    assert "task dead: exit 137" in text
    assert "<b>has</b>" not in text


def test_annotations_escape(failing: Report) -> None:
    lines = annotations.render(failing)
    assert len(lines) == len(failing.findings)
    assert lines[0].startswith("::error file=runbooks/issues/")
    assert all("\n" not in line for line in lines)


def test_no_format_shows_a_secret(world: World) -> None:
    planted = " ".join(SECRETS[:4]) + f" password={SECRETS[4]}"
    world.log["/ecs/outpost-control-plane"] = [f"ERROR JOBS_TABLE Traceback {planted}"]
    world.environment["JOBS_TABLE"] = ""
    world.environment["SOME_SECRET"] = SECRETS[4]
    world.put_control_plane(7)
    world.put_control_plane(6, taskDefinitionArn="earlier")
    world.running = []
    world.service["runningCount"] = 0
    world.stopped = [task("dead", "STOPPED", world.service["taskDefinition"], exitCode=1, lived=1)]
    world.add_job(reason={"issue": "agent-fails-immediately", "cause": "model-not-found", "summary": planted})
    report = diagnose(target(api_key=SECRETS[0], api_url="http://api"), world)
    shown = [
        document.render(report, everything=True),
        terminal.render(report, terminal.Style(), everything=True, plans=True),
        terminal.last_line(report),
        junit.render(report),
        sarif.render(report),
        html.render(report),
        *annotations.render(report),
    ]
    assert "missing-environment" in shown[0]
    for text in shown:
        assert [secret for secret in SECRETS if secret in text] == []


def test_printing_is_left_to_the_caller(failing: Report) -> None:
    with redirect_stdout(io.StringIO()) as printed:
        document.render(failing)
        terminal.render(failing, terminal.Style())
    assert printed.getvalue() == ""
