"""The report in every format: valid, readable, and without secrets."""

import io
import json
import re
import shlex
from contextlib import redirect_stdout
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
import xmlschema
from tinyhtml5.parser import HTMLParser

from runbooks.looking import CouldNotLook
from runbooks.report import annotations, charts, document, html, junit, sarif, schema, terminal
from runbooks.report.changes import changes
from runbooks.report.timeline import timeline
from runbooks.run import Report, diagnose
from tests.runbooks.judging import log
from tests.runbooks.world import CONTROL, NOW, World, target, task

FORMATS = Path(__file__).parent / "formats"
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


def test_what_could_not_be_looked_at_is_told_with_what_to_do_about_it(failing: Report) -> None:
    text = " ".join(terminal.render(failing, terminal.Style()).split())
    assert "servicequotas:GetServiceQuota is missing dispatch-stuck-pending/vcpu-quota-exhausted" in text
    assert "./inv runbooks.preflight names all that you lack" in text


def test_what_to_do_about_several_denied_looks_is_told_once(world: World) -> None:
    for operation in ("servicequotas:GetServiceQuota", "efs:DescribeFileSystems"):
        world.failing[operation.replace("servicequotas", "service-quotas")] = CouldNotLook(
            operation, "denied", permission=operation
        )
    text = " ".join(terminal.render(diagnose(target(), world), terminal.Style()).split())
    assert text.count("?. UNKNOWN") == 2
    assert text.count("./inv runbooks.preflight names all that you lack") == 1


def test_the_plan_shows_every_call(failing: Report) -> None:
    text = terminal.render(failing, terminal.Style(), plans=True)
    for finding in failing.findings:
        for action in finding.plan.actions if finding.plan else ():
            assert action.call.operation in text
    assert "AuthorizeSecurityGroupIngress" in text


def test_the_plan_shows_each_call_as_the_aws_cli_makes_it(world: World) -> None:
    """To be pasted into a shell, which gets the very parameters; a masked value is said to be one."""
    world.idle_timeout = "300"
    world.environment |= {"KEEP_ALIVE_SECONDS": "60", "SOME_SECRET": SECRETS[4]}
    world.put_control_plane(7)
    report = diagnose(target(), world)
    plan = report.findings[0].plan
    assert plan is not None
    text = terminal.render(report, terminal.Style(), plans=True).replace(" \\\n", " ")
    register, move = (
        shlex.split(line) for line in text.splitlines() if re.match(r" +(aws|REGISTERED=\$\(aws) ", line)
    )
    assert register[:3] == ["REGISTERED=$(aws", "ecs", "register-task-definition"]
    given = json.loads(register[register.index("--container-definitions") + 1])
    asked = plan.actions[0].call.parameters["containerDefinitions"]
    assert [c["image"] for c in given] == [c["image"] for c in asked]
    assert "! [redacted] stands for a value" in text
    assert move[:3] == ["aws", "ecs", "update-service"]
    assert move[move.index("--task-definition") + 1] == "$REGISTERED"


def test_the_plan_shows_first_what_changes_in_a_document(world: World) -> None:
    world.idle_timeout = "300"
    world.environment["KEEP_ALIVE_SECONDS"] = "60"
    world.put_control_plane(7)
    text = terminal.render(diagnose(target(), world), terminal.Style(), plans=True)
    changed, _, line = text.partition("REGISTERED=$(aws ")
    assert "KEEP_ALIVE_SECONDS: 60 -> 305" in " ".join(changed.split())
    assert "JOBS_TABLE" not in changed
    assert "JOBS_TABLE" in line


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
    xmlschema.XMLSchema(FORMATS / "junit-10.xsd").validate(junit.render(failing))
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
    log = json.loads(sarif.render(failing))
    jsonschema.validate(log, json.loads((FORMATS / "sarif-2.1.0-rtm.5.json").read_text()))
    run = log["runs"][0]
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
    levels = {result["ruleId"]: result["level"] for result in run["results"]}
    assert levels["dispatch-stuck-pending/egress-blocked"] == "error"
    assert levels["dynamodb-throttling/retries-without-backoff"] == "warning"
    assert levels["dispatch-stuck-pending/vcpu-quota-exhausted"] == "note"


def test_formats_of_a_stack_that_cannot_be_looked_at(world: World) -> None:
    world.failing["sts:GetCallerIdentity"] = CouldNotLook("sts:GetCallerIdentity", "denied")
    report = diagnose(target(), world)
    assert report.trouble
    xmlschema.XMLSchema(FORMATS / "junit-10.xsd").validate(junit.render(report))
    jsonschema.validate(
        json.loads(sarif.render(report)), json.loads((FORMATS / "sarif-2.1.0-rtm.5.json").read_text())
    )
    assert _parsed(html.render(report)).find(".//h1") is not None


def test_what_a_finding_explains_is_named_with_its_title(world: World) -> None:
    """A bare code says little to somebody who does not know the guide by heart."""
    world.environment["JOBS_TABLE"] = ""
    world.put_control_plane(7)
    world.running, world.service["runningCount"] = [], 0
    world.stopped = [task("dead", "STOPPED", world.service["taskDefinition"], exitCode=1, lived=1)]
    report = diagnose(target(), world)
    effect = "control-plane-not-starting/application-error: The control plane's program ends with an error"
    assert f"explains {effect}" in " ".join(terminal.render(report, terminal.Style()).split())
    items = ["".join(item.itertext()) for item in _parsed(html.render(report)).iter("li")]
    assert items == [effect]


def test_a_security_group_is_shown_with_its_name(failing: Report) -> None:
    text = terminal.render(failing, terminal.Style())
    assert "sg-control (outpost-control-plane-dev)" in text
    assert "ingress from sg-worker (outpost-worker-dev) on TCP 8080" in " ".join(text.split())


def test_commands_can_be_copied_from_the_terminal(world: World) -> None:
    """The ids of the stack are in them, and no word of them is broken."""
    reason = {"issue": "agent-fails-immediately", "cause": "model-not-found", "summary": "no such model"}
    identity = world.add_job(reason=reason, model="gpt-99", repository="acme/site", branch="main")
    report = diagnose(target(api_url="https://api.example"), world)
    text = terminal.render(report, terminal.Style())
    lines = [line for line in text.splitlines() if len(line) > 80]
    assert [line for line in lines if len(shlex.split(line.removesuffix("\\"))) > 2] == []
    pasted = text.replace(" \\\n", " ")  # as a shell reads it
    shown = shlex.split(pasted[pasted.index("run      ") : pasted.index("   remedy")])
    assert f"https://api.example/dispatch/{identity}/logs" in shown
    body = json.loads(shown[shown.index("-d") + 1])
    assert body == {"agent": "claude", "task": "TASK", "repository": "acme/site", "branch": "main"}
    assert [c for c in document.document(report)["findings"][0]["commands"] if identity in c]
    assert not re.search(r" -H \\$", text, re.MULTILINE), "an option stands with its value"


def test_what_stands_in_backticks_is_code_in_html(world: World) -> None:
    reason = {"issue": "agent-fails-immediately", "cause": "model-not-found", "summary": "no `x<y>` model"}
    world.add_job(reason=reason)
    page = _parsed(html.render(diagnose(target(), world)))
    codes = ["".join(code.itertext()) for code in page.iter("code")]
    assert "model" in codes  # of the advice
    assert "x<y>" in codes
    assert "`" not in "".join("".join(p.itertext()) for p in page.iter("p"))


def test_a_dispatch_that_nothing_explains_is_told_in_every_format(world: World) -> None:
    identity = world.add_job(exitCode=5, reason={"code": "agent-failed", "summary": "It ended with 5."})
    report = diagnose(target(), world, dispatch=identity)
    why = f"dispatch {identity} ended FAILED, for none of the guide's causes: It ended with 5"
    assert terminal.last_line(report).startswith(f"unknown: {why}")
    assert terminal.render(report, terminal.Style()).startswith(f"dispatch {identity} of tenant demo: claude")
    printed = json.loads(document.render(report))
    jsonschema.validate(printed, schema.SCHEMA)
    assert (printed["verdict"], printed["dispatch"]["unexplained"]) == ("unknown", why)
    xmlschema.XMLSchema(FORMATS / "junit-10.xsd").validate(junit.render(report))
    assert why in junit.render(report)
    assert identity in "".join(_parsed(html.render(report)).itertext())
    assert annotations.render(report) == [f"::warning::{why}"]


def _parsed(page: str) -> ElementTree.Element:
    """The page as a browser would build it. Fails for anything that a browser would have to put right."""
    parser = HTMLParser(namespace_html_elements=False)
    root: ElementTree.Element = parser.parse(page)
    assert parser.errors == []
    return root


def test_html_has_a_timeline_and_charts(world: World) -> None:
    world.series["memory"] = [10.0, 50.0, 99.0]
    world.stopped = [
        task("dead", "STOPPED", world.service["taskDefinition"], exitCode=137, reason="OutOfMemoryError: x")
    ]
    world.service["events"] = [{"createdAt": NOW, "message": "(service x) <b>has</b> begun draining"}]
    page = _parsed(html.render(diagnose(target(), world)))
    assert page.find(".//{http://www.w3.org/2000/svg}polyline") is not None
    cells = ["".join(cell.itertext()) for cell in page.iter("td")]
    assert "<b>has</b> begun draining" in cells
    assert [
        cell for cell in cells if cell.startswith("task dead of outpost-control-plane:7 stopped after 600 s")
    ]
    texts = ["".join(text.itertext()) for text in page.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["100", "0"]  # the scale
    # On a narrow screen each cell stands under its column's name.
    assert all(cell.get("data-head") for cell in page.iter("td"))


def test_the_headline_is_short_and_the_verdict_stands_below(failing: Report) -> None:
    page = _parsed(html.render(failing))
    assert page.findtext(".//h1") == "Outpost dev: failing"
    assert terminal.last_line(failing) in "".join("".join(p.itertext()) for p in page.iter("p"))


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(4.09317, "%", "4.09 %"), (186.933, "ms", "187 ms"), (12345.6, "", "12,346"), (0.0, "%", "0 %")],
)
def test_numbers_are_rounded(value: float, unit: str, shown: str) -> None:
    assert charts.amount(value, unit) == shown


def test_what_ecs_repeats_for_each_failing_start_is_counted(world: World) -> None:
    group = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/outpost-control-plane-dev/0123456789abcdef"
    messages = [
        "(service outpost-control-plane) has started 1 tasks: (task {n}a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5).",
        "(service outpost-control-plane) registered 1 targets in (target-group " + group + ").",
        "(service outpost-control-plane) deregistered 1 targets in (target-group " + group + ").",
    ]
    world.service["events"] = [
        {"createdAt": NOW - timedelta(minutes=9 - n), "message": message.replace("{n}", str(n))}
        for n in range(4)
        for message in messages
    ]
    world.service["events"].append(
        {
            "createdAt": NOW,
            "message": "(service outpost-control-plane) rolling back to deployment ecs-svc/0123456789.",
        }
    )
    world.stopped = [
        task(f"dead{n}", "STOPPED", world.service["taskDefinition"], exitCode=1, lived=n) for n in range(4)
    ]
    log(world, "started", message="JOBS_TABLE is not set")
    events, blind = timeline(world.region())
    told = [(event.kind, event.text) for event in events]
    assert blind == []
    assert len([text for kind, text in told if kind == "service"]) == 4
    assert (
        "service",
        "4 × until 11:54:00, the last: registered 1 targets in (target-group outpost-control-plane-dev).",
    ) in told
    assert ("service", "rolling back to deployment ecs-svc/0123456789.") in told
    stops = [text for kind, text in told if kind == "stop"]
    assert 'it said last: "JOBS_TABLE is not set"' in "".join(stops)


def test_html_loads_nothing_and_runs_nothing(failing: Report) -> None:
    text = html.render(failing)
    page = _parsed(text)
    tags = {str(element.tag).rpartition("}")[2] for element in page.iter()}
    assert not tags & {
        "script",
        "link",
        "img",
        "image",
        "iframe",
        "object",
        "embed",
        "use",
        "base",
        "a",
        "form",
    }
    attributes = {name for element in page.iter() for name in element.keys()}  # noqa: SIM118 - not a mapping
    assert not attributes & {"src", "srcset", "href", "style", "action", "data", "background"}
    assert not [name for name in attributes if name.startswith("on") or "href" in name]
    assert not [word for word in ("url(", "@import", "http://", "https://") if word in text]
    policy = page.find(".//meta[@http-equiv='Content-Security-Policy']")
    assert policy is not None
    assert str(policy.get("content")).startswith("default-src 'none'")


def test_what_was_before_the_look_back_is_not_in_the_timeline(world: World) -> None:
    for minutes, message in ((59, "recent"), (61, "long ago")):
        event = {"createdAt": NOW - timedelta(minutes=minutes), "message": message}
        world.service["events"].append(event)
    assert [event.text for event in timeline(world.region())[0]] == ["recent"]


def test_annotations_escape_what_would_end_or_change_a_command(world: World) -> None:
    reason = {"issue": "agent-fails-immediately", "cause": "model-not-found", "summary": "100%\n::error::x"}
    world.add_job(reason=reason)
    (line,) = annotations.render(diagnose(target(), world))
    assert line.endswith("100%25%0A::error::x")
    assert ",title=agent-fails-immediately/model-not-found::" in line


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
