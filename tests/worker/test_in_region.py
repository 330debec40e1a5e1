"""What a tenant sees of a worker, through the API of a real region."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.testing import LocalRegion
from outpost.dispatch import Status

pytestmark = pytest.mark.region


def call(region: LocalRegion, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(
        region.api_url + path,
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"X-API-Key": region.api_key, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.loads(answer.read() or b"{}"))


@pytest.fixture
def dispatch(region: LocalRegion, tmp_path: Path) -> Callable[..., str]:
    """Posts a dispatch on a repository of its own; its id."""
    repository = tmp_path / "project"
    repository.mkdir()
    identity = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
    subprocess.run(["git", "init", "--quiet", "."], cwd=repository, check=True)
    subprocess.run(
        ["git", *identity, "commit", "--quiet", "--allow-empty", "-m", "Start"], cwd=repository, check=True
    )

    def post(task: str, **more: Any) -> str:
        body = {"agent": "claude", "task": task, "repository": str(repository)} | more
        return str(call(region, "POST", "/dispatch", body)["dispatchId"])

    return post


def ended(region: LocalRegion, dispatch_id: str, timeout: float = 60) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        job = call(region, "GET", f"/dispatch/{dispatch_id}")
        return job if Status(job["status"]).terminal else None

    job = region.wait_for(look, timeout, "the dispatch's end")
    assert job is not None
    return job


def artifact(region: LocalRegion, dispatch_id: str, name: str) -> bytes:
    listed = call(region, "GET", f"/dispatch/{dispatch_id}/artifacts")["artifacts"]
    urls = {each["name"]: each["url"] for each in listed}
    with urllib.request.urlopen(urls[name], timeout=30) as answer:
        return bytes(answer.read())


def until_the_log_has(region: LocalRegion, dispatch_id: str, text: str) -> None:
    def look() -> bool:
        lines = call(region, "GET", f"/dispatch/{dispatch_id}/logs")["lines"]
        return any(text in line["message"] for line in lines)

    region.wait_for(look, 30, f"{text!r} in the log")


def test_log_and_artifacts_tell_the_same(region: LocalRegion, dispatch: Callable[..., str]) -> None:
    dispatch_id = dispatch("Add a line.", agent="codex")
    job = ended(region, dispatch_id)
    assert job["status"] == "COMPLETED", job
    saved = [json.loads(line)["message"] for line in artifact(region, dispatch_id, "output.log").splitlines()]
    until_the_log_has(region, dispatch_id, saved[-1])
    lines = call(region, "GET", f"/dispatch/{dispatch_id}/logs")["lines"]
    assert [line["message"] for line in lines] == saved
    assert b"OUTPOST-REHEARSAL.md" in artifact(region, dispatch_id, "changes.patch")


@pytest.mark.parametrize(
    ("recording", "status", "issue", "cause"),
    [
        ("model-not-found", "FAILED", "agent-fails-immediately", "model-not-found"),
        ("permission-denied", "FAILED", "agent-fails-immediately", "permission-denied"),
        ("task-misunderstood", "COMPLETED", "agent-no-changes", "task-misunderstood"),
        ("wrong-branch", "COMPLETED", "agent-no-changes", "wrong-branch"),
    ],
)
def test_the_reason_names_the_guides_cause(
    region: LocalRegion, dispatch: Callable[..., str], recording: str, status: str, issue: str, cause: str
) -> None:
    job = ended(region, dispatch(f"rehearse: replay {recording}"))
    assert job["status"] == status, job
    assert (job["reason"]["issue"], job["reason"]["cause"]) == (issue, cause)


def test_a_cancelled_dispatch_keeps_what_its_agent_did(
    region: LocalRegion, dispatch: Callable[..., str]
) -> None:
    dispatch_id = dispatch("rehearse: commit\nrehearse: sleep 120")
    until_the_log_has(region, dispatch_id, "tool work")
    began = time.monotonic()
    call(region, "DELETE", f"/dispatch/{dispatch_id}")
    assert ended(region, dispatch_id)["status"] == "CANCELLED"
    assert time.monotonic() - began < 45
    assert b"REHEARSAL-COMMIT.md" in artifact(region, dispatch_id, "changes.patch")


def test_nothing_of_aws_is_in_reach_of_an_agent(region: LocalRegion, dispatch: Callable[..., str]) -> None:
    dispatch_id = dispatch("rehearse: environment\nrehearse: sleep 1")
    job = ended(region, dispatch_id)
    assert job["status"] == "COMPLETED", job
    lines = call(region, "GET", f"/dispatch/{dispatch_id}/logs")["lines"]
    names = {
        line["message"].removeprefix("variable ") for line in lines if line["message"].startswith("variable ")
    }
    assert "HOME" in names
    allowed = {"OUTPOST_DISPATCH_ID"}
    assert not {name for name in names if name.startswith(("AWS_", "ECS_", "OUTPOST_"))} - allowed
