"""Logs and artifacts over HTTP."""

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from starlette.testclient import TestClient

from outpost.agents import Agent
from outpost.dispatch import Status
from service.application.authentication import InvalidKeyError
from service.domain.job import Job
from service.domain.ports import LogLine, LogPage, UnavailableError
from service.routers import streams
from tests.service.harness import World

ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
ARN = "arn:aws:ecs:us-east-1:1:task/c/abc"


class Scripted:
    """A log of numbered lines; each read shows two more of them until all are there."""

    def __init__(self, total: int) -> None:
        self.total = total

    def page(self, agent: Agent, task_arn: str, token: str | None, limit: int) -> LogPage:
        start = int(token or 0)
        lines = [LogLine(at=float(n), message=self.line(n)) for n in range(start, min(start + 2, self.total))]
        return LogPage(lines=lines, token=str(start + len(lines)))

    @staticmethod
    def line(n: int) -> str:
        return json.dumps({"time": "2026-01-14T09:30:00Z", "message": f"line {n} key sk-{'a' * 24}"})


@pytest.fixture
def ended(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The key's header; the tenant has one ended dispatch with a log of five lines."""
    job = Job(
        tenant_id="acme",
        dispatch_id=ID,
        agent=Agent.CLAUDE,
        created_at=1.0,
        timeout_seconds=60,
        status=Status.COMPLETED,
        task_arn=ARN,
    )
    world.services.dispatches._terminal.put(job)
    monkeypatch.setattr(world.services.logs, "_logs", Scripted(5))
    monkeypatch.setattr(streams, "POLL_SECONDS", (0.001, 0.002))
    return {"X-API-Key": world.key()}


def events(text: str) -> list[dict[str, str]]:
    blocks = [block for block in text.split("\n\n") if "event:" in block]
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


def test_pages_join_without_loss_and_secrets_never_show(http: TestClient, ended: dict[str, str]) -> None:
    found: list[str] = []
    parameters: dict[str, Any] = {}
    while True:
        page = http.get(f"/dispatch/{ID}/logs", params=parameters, headers=ended).json()
        found += [each["message"] for each in page["lines"]]
        if page["complete"]:
            break
        parameters = {"cursor": page["cursor"]}
    assert found == [f"line {n} key [redacted]" for n in range(5)]


def test_a_stream_ends_with_the_dispatch_and_resumes_after_any_event(
    http: TestClient, ended: dict[str, str]
) -> None:
    whole = events(http.get(f"/dispatch/{ID}/logs?follow=true", headers=ended).text)
    assert [each["event"] for each in whole] == ["log"] * 5 + ["end"]
    assert json.loads(whole[-1]["data"]) == {"status": "COMPLETED"}
    for n, event in enumerate(whole[:5]):
        rest = http.get(
            f"/dispatch/{ID}/logs?follow=true", headers={**ended, "Last-Event-ID": event["id"]}
        ).text
        assert [each["data"] for each in events(rest)] == [each["data"] for each in whole[n + 1 :]]


def test_a_quiet_stream_is_kept_alive(
    http: TestClient, ended: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "KEEPALIVE_SECONDS", 0)
    assert ": keepalive\n\n" in http.get(f"/dispatch/{ID}/logs?follow=true", headers=ended).text


@pytest.mark.parametrize("cursor", ["x", "!!!", "bG9nczo", "YXJjaGl2ZTp4", "é"])
def test_a_cursor_from_elsewhere_is_refused(http: TestClient, ended: dict[str, str], cursor: str) -> None:
    answer = http.get(f"/dispatch/{ID}/logs", params={"cursor": cursor}, headers=ended)
    assert answer.status_code in (404, 422)
    assert answer.json()["code"] in ("invalid-cursor", "invalid-request")


def test_after_cloudwatchs_retention_the_archive_is_read(
    world: World, http: TestClient, ended: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        def page(self, *_: object) -> LogPage:
            return LogPage(lines=(), token=None)

    monkeypatch.setattr(world.services.logs, "_logs", Gone())
    archived = "\n".join(Scripted.line(n) for n in range(3)) + "\n"
    world.boto("s3").put_object(
        Bucket=world.settings.artifacts_bucket, Key=f"{ID}/output.log", Body=archived.encode()
    )
    page = http.get(f"/dispatch/{ID}/logs", headers=ended).json()
    assert [each["message"] for each in page["lines"]] == [f"line {n} key [redacted]" for n in range(3)]
    assert page["complete"]


def test_artifacts_of_a_stopped_worker_come_from_its_manifest(
    world: World, http: TestClient, ended: dict[str, str]
) -> None:
    manifest = {"files": [{"name": "changes.patch", "size": 3, "sha256": "0" * 64}, {"name": "../x"}]}
    world.boto("s3").put_object(
        Bucket=world.settings.artifacts_bucket, Key=f"{ID}/manifest.json", Body=json.dumps(manifest)
    )
    found = http.get(f"/dispatch/{ID}/artifacts", headers=ended).json()["artifacts"]
    assert [each["name"] for each in found] == ["changes.patch"]
    assert f"/{ID}/changes.patch?" in found[0]["url"]


@pytest.mark.parametrize(
    "manifest",
    [
        "[" * 60_000,
        "[]",
        '{"files": 1}',
        '{"files": [{"name": "\\ud800", "size": 1, "sha256": ""}]}',
        f'{{"files": [{{"name": "output.log", "size": NaN, "sha256": "{"0" * 64}"}}]}}',
        f'{{"files": [{{"name": "another", "size": 1, "sha256": "{"0" * 64}"}}]}}',
    ],
)
def test_a_manifest_that_an_agent_forged_shows_nothing(
    world: World, http: TestClient, ended: dict[str, str], manifest: str
) -> None:
    world.boto("s3").put_object(
        Bucket=world.settings.artifacts_bucket, Key=f"{ID}/manifest.json", Body=manifest
    )
    answer = http.get(f"/dispatch/{ID}/artifacts", headers=ended)
    assert (answer.status_code, answer.json()) == (200, {"artifacts": []})


@pytest.mark.parametrize(
    "line",
    [
        "[" * 60_000,
        '{"message": "\\ud800"}',
        '{"message": "x", "stream": "\\udfff"}',
        '{"message": "x", "time": "9999-12-31T23:59:59-12:00"}',
        '{"message": "x", "time": 1}',
        "\x00",
    ],
)
def test_a_line_that_an_agent_forged_is_shown_as_text(
    http: TestClient, ended: dict[str, str], monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(Scripted, "line", staticmethod(lambda _: line))
    answer = http.get(f"/dispatch/{ID}/logs", headers=ended)
    assert answer.status_code == 200
    assert len(answer.json()["lines"]) == 2
    stream = http.get(f"/dispatch/{ID}/logs?follow=true", headers=ended).text
    assert [each["event"] for each in events(stream)] == ["log"] * 5 + ["end"]


def test_a_cursor_that_cloudwatch_does_not_know_is_no_outage(
    world: World, http: TestClient, ended: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        def page(self, *_: object) -> LogPage:
            raise UnavailableError("logs", "InvalidParameterException")

    monkeypatch.setattr(world.services.logs, "_logs", Refusing())
    forged = urlsafe_b64encode(b"logs:f/0").decode().rstrip("=")
    answer = http.get(f"/dispatch/{ID}/logs", params={"cursor": forged}, headers=ended)
    assert (answer.status_code, answer.json()["code"]) == (404, "invalid-cursor")
    assert http.get(f"/dispatch/{ID}/logs", headers=ended).status_code == 503


def test_one_tenants_streams_leave_reads_to_the_others(
    world: World, http: TestClient, ended: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads of CloudWatch are few and shared; the places of streams that have ended are free again."""
    monkeypatch.setattr(streams, "PER_TENANT", 1)
    url = f"/dispatch/{ID}/logs?follow=true"
    refused: list[Any] = []

    class Asking(Scripted):
        def page(self, agent: Agent, task_arn: str, token: str | None, limit: int) -> LogPage:
            if not refused:  # while the first stream is open
                refused.append(None)
                refused[0] = http.get(url, headers=ended)
            return super().page(agent, task_arn, token, limit)

    monkeypatch.setattr(world.services.logs, "_logs", Asking(5))
    assert "event: end" in http.get(url, headers=ended).text
    assert (refused[0].status_code, refused[0].json()["code"]) == (429, "too-many-streams")
    assert refused[0].headers["Retry-After"] == "5"
    assert "event: end" in http.get(url, headers=ended).text


def test_a_stream_ends_when_its_key_is_revoked(
    world: World, http: TestClient, ended: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Revoking(Scripted):
        def page(self, agent: Agent, task_arn: str, token: str | None, limit: int) -> LogPage:
            monkeypatch.setattr(world.services.authentication, "look_up", refuse)
            return super().page(agent, task_arn, token, limit)

    def refuse(presented: str) -> None:
        raise InvalidKeyError("key-revoked", presented[:15])

    monkeypatch.setattr(world.services.logs, "_logs", Revoking(5))
    shown = events(http.get(f"/dispatch/{ID}/logs?follow=true", headers=ended).text)
    assert [each["event"] for each in shown] == ["log", "log", "error"]
    assert json.loads(shown[-1]["data"])["code"] == "key-revoked"
