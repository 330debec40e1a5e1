"""The whole stack in the local region, when its processes are killed."""

import subprocess
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from local.testing import LocalRegion

pytestmark = pytest.mark.region
CONTROL_PLANE = "outpost-control-plane"
TERMINAL = {"COMPLETED", "FAILED", "TIMEOUT", "CANCELLED"}


@pytest.fixture
def repository(tmp_path: Path) -> str:
    """A git repository with one commit; its URL."""
    (tmp_path / "README.md").write_text("A repository.\n")
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return f"file://{tmp_path}"


def api(region: LocalRegion, method: str, route: str, **request: Any) -> dict[str, Any]:
    """An answer of the API; empty while the control plane is away."""
    headers = {"X-API-Key": region.api_key}
    answer = httpx.request(
        method, region.api_url + route, headers=headers, trust_env=False, timeout=30, **request
    )
    return dict(answer.json()) if answer.status_code < 500 else {}


def control_plane(region: LocalRegion) -> dict[str, Any]:
    """The control plane's running task, with its process; empty if there is none."""
    running = [each for each in region.tasks() if each["family"] == CONTROL_PLANE and each["pids"]]
    return running[0] if running else {}


def test_a_dispatch_outlives_a_killed_control_plane_and_ends_once(
    region: LocalRegion, repository: str
) -> None:
    job = {"agent": "claude", "task": "rehearse: sleep 4", "repository": repository}
    route = f"/dispatch/{api(region, 'POST', '/dispatch', json=job)['dispatchId']}"
    region.wait_for(lambda: api(region, "GET", route).get("status") == "RUNNING", what="the dispatch's start")
    before = control_plane(region)

    psutil.Process(before["pids"][0]).kill()

    replacement = region.wait_for(
        lambda: (found := control_plane(region)).get("task") not in {None, before["task"]} and found,
        timeout=60,
        what="another control plane",
    )
    ended = region.wait_for(
        lambda: (found := api(region, "GET", route)).get("status") in TERMINAL and found,
        timeout=90,
        what="the dispatch's end",
    )
    assert replacement
    assert ended
    assert ended["status"] == "COMPLETED", ended
    assert ended["attempt"] == 1
    stopped = region.client("ecs").describe_tasks(cluster="outpost-dev", tasks=[before["task"]])["tasks"][0]
    assert stopped["containers"][0]["exitCode"] == 137


def test_a_killed_worker_is_told_with_its_reason(region: LocalRegion, repository: str) -> None:
    job = {"agent": "aider", "task": "rehearse: sleep 60", "repository": repository}
    route = f"/dispatch/{api(region, 'POST', '/dispatch', json=job)['dispatchId']}"
    region.wait_for(lambda: api(region, "GET", route).get("status") == "RUNNING", what="the dispatch's start")

    region.fault("oom", task=api(region, "GET", route)["taskArn"])

    ended = region.wait_for(
        lambda: (found := api(region, "GET", route)).get("status") in TERMINAL and found,
        timeout=60,
        what="the dispatch's end",
    )
    assert ended
    assert ended["status"] == "FAILED", ended
    assert ended["exitCode"] == 137
