"""The tasks of whoever has an API key, and the warm pool's size, against a local region."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.operations.prewarm import VARIABLE, prewarm, with_pool
from infra.operations.rollout import deployments
from infra.operations.running import Running
from local.testing import LocalRegion
from outpost.errors import OutpostError
from outpost.exit_codes import Verdict
from runbooks.aws import Connection
from runbooks.target import Target

pytestmark = pytest.mark.region
ROOT = Path(__file__).parents[3]


@pytest.fixture
def running(region: LocalRegion) -> Running:
    target = Target.from_environment(environment=region.environment)
    return Running(target=target, connection=Connection(target), say=lambda _: None)


def inv(region: LocalRegion, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=ROOT, env=region.environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def test_a_dispatch_is_made_watched_and_its_artifacts_are_saved(region: LocalRegion, tmp_path: Path) -> None:
    made = inv(region, "dispatch", "--agent", "aider", "--task", "Say so.", "--wait", "--yes")
    assert made.returncode == 0, made.stderr
    assert made.stderr.startswith(f"dispatch: {region.api_url}")
    identity = json.loads(made.stdout)["dispatchId"]

    watched = inv(region, "watch", "--id", identity)
    assert watched.returncode == 0, watched.stderr
    assert "This is a rehearsal of aider" in watched.stdout

    saved = inv(region, "artifacts", "--id", identity, "--to", str(tmp_path / "out"))
    assert saved.returncode == 0, saved.stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (tmp_path / "out").iterdir()
        if path.name != "manifest.json"
    }
    assert digests == {each["name"]: each["sha256"] for each in manifest["files"]}


def test_a_dispatch_that_fails_is_exit_code_3_and_a_long_one_is_cancelled(region: LocalRegion) -> None:
    failed = inv(region, "dispatch", "--agent", "aider", "--task", "rehearse: fail 1", "--wait", "--yes")
    assert failed.returncode == Verdict.FAILING
    assert json.loads(failed.stdout)["status"] == "FAILED"

    long = inv(region, "dispatch", "--agent", "aider", "--task", "rehearse: sleep 60", "--yes")
    ended = inv(region, "cancel", "--id", json.loads(long.stdout)["dispatchId"], "--wait", "--yes")
    assert json.loads(ended.stdout)["status"] == "CANCELLED"


def test_nothing_is_dispatched_by_a_dry_run_or_without_a_yes(region: LocalRegion) -> None:
    before = len(region_dispatches(region))
    dry = inv(region, "dispatch", "--agent", "aider", "--task", "Say so.", "--dry-run")
    unasked = inv(region, "dispatch", "--agent", "aider", "--task", "Say so.")
    assert (dry.returncode, dry.stdout) == (0, "")
    assert "would call: POST /dispatch aider" in dry.stderr
    assert (unasked.returncode, "--yes" in unasked.stderr) == (1, True)
    assert len(region_dispatches(region)) == before


def region_dispatches(region: LocalRegion) -> list[object]:
    headers = {"X-API-Key": region.api_key}
    return list(httpx.get(f"{region.api_url}/dispatch", headers=headers, timeout=10).json()["dispatches"])


def test_a_dry_run_says_how_the_pool_would_be_set_and_rolls_nothing_out(running: Running) -> None:
    said: list[str] = []
    before = deployments(running.client("ecs"), running.names)
    told = dataclasses.replace(running, say=said.append)
    assert prewarm(told, "aider", 1, dry_run=True) == ""
    assert [line.split()[2:4] for line in said] == [
        ["ecs:RegisterTaskDefinition", "outpost-control-plane"],
        ["ecs:UpdateService", "outpost-dev/outpost-control-plane"],
    ]
    assert prewarm(told, "aider", 0) == ""  # so already: asks nobody, calls nothing
    assert deployments(running.client("ecs"), running.names) == before


@pytest.mark.parametrize(
    ("now", "agent", "size", "then"),
    [
        ("", "aider", 1, "aider=1"),
        ("aider=1", "claude", 2, "aider=1,claude=2"),
        ("aider=1,claude=2", "aider", 0, "claude=2"),
        ("aider=1", "aider", 0, ""),
    ],
)
def test_the_copy_differs_in_the_pool_alone(now: str, agent: str, size: int, then: str) -> None:
    def definition(pool: str) -> dict[str, Any]:
        variables = [{"name": "PORT", "value": "8080"}]
        variables += [{"name": VARIABLE, "value": pool}] if pool else []
        container = {"name": "control-plane", "secrets": [{"name": "S"}], "environment": variables}
        return {"family": "outpost-control-plane", "cpu": "512", "containerDefinitions": [container]}

    described = definition(now) | {"revision": 7, "status": "ACTIVE"}
    assert with_pool(described, agent, size) == (now, then, definition(then))


@pytest.mark.parametrize(("agent", "size"), [("nobody", 1), ("aider", 11), ("aider", -1)])
def test_a_size_that_the_control_plane_would_not_take_is_refused(
    running: Running, agent: str, size: int
) -> None:
    with pytest.raises(OutpostError) as caught:
        prewarm(running, agent, size, yes=True)
    assert caught.value.code == "invalid-warm-pool"
