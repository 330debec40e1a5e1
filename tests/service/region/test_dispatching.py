"""The control plane in the local region: from its own task definition, with real workers and real faults."""

import hashlib
import time
from typing import Any

import httpx
import pytest

from local.testing import LocalRegion
from outpost.dispatch import Status

pytestmark = pytest.mark.region
ENDED = {status.value for status in Status if status.terminal}


def post(api: httpx.Client, repository: str, task: str = "say hello", **body: Any) -> str:
    answer = api.post("/dispatch", json={"agent": "claude", "task": task, "repository": repository, **body})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["dispatchId"])


def patient(api: httpx.Client, path: str) -> dict[str, Any]:
    """GET, also while no replica answers."""
    while True:
        answer = api.get(path)
        if answer.status_code < 500:
            return dict(answer.json())
        time.sleep(0.1)


def ended(region: LocalRegion, api: httpx.Client, dispatch_id: str, timeout: float = 30) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        shown = patient(api, f"/dispatch/{dispatch_id}")
        return shown if shown["status"] in ENDED else None

    found = region.wait_for(look, timeout, f"the end of {dispatch_id}")
    assert found is not None
    return found


def running(region: LocalRegion, api: httpx.Client, dispatch_id: str) -> None:
    region.wait_for(lambda: patient(api, f"/dispatch/{dispatch_id}")["status"] == "RUNNING", 20)


def test_a_dispatch_clones_runs_and_leaves_its_artifacts(
    region: LocalRegion, api: httpx.Client, repository: str
) -> None:
    dispatch_id = post(api, repository)
    done = ended(region, api, dispatch_id)
    assert done["status"] == "COMPLETED"
    assert done["changes"]["files"] == 1
    files = {each["name"]: each for each in api.get(f"/dispatch/{dispatch_id}/artifacts").json()["artifacts"]}
    assert {"output.log", "changes.patch", "changes.bundle", "result.json"} <= set(files)
    for file in files.values():
        data = httpx.get(file["url"]).content
        assert len(data) == file["size"]
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
    lines = api.get(f"/dispatch/{dispatch_id}/logs").json()["lines"]
    assert any("rehearsal" in line["message"] for line in lines)


def test_killing_the_control_plane_in_the_middle_loses_nothing(
    region: LocalRegion, api: httpx.Client, repository: str
) -> None:
    dispatch_id = post(api, repository, "rehearse: sleep 4")
    running(region, api, dispatch_id)
    waiting = post(api, repository)
    killed = region.fault("kill", task="outpost-control-plane")
    done = [ended(region, api, each, 90) for each in (dispatch_id, waiting)]
    assert [each["status"] for each in done] == ["COMPLETED", "COMPLETED"]
    tasks = [each["task"] for each in region.tasks() if each["family"] == "outpost-control-plane"]
    assert killed not in tasks


def test_a_cancelled_one_is_cancelled_when_its_container_is_gone(
    region: LocalRegion, api: httpx.Client, repository: str
) -> None:
    dispatch_id = post(api, repository, "rehearse: sleep 60")
    running(region, api, dispatch_id)
    arn = api.get(f"/dispatch/{dispatch_id}").json()["taskArn"]
    assert api.delete(f"/dispatch/{dispatch_id}").json()["status"] == "CANCELLING"
    assert ended(region, api, dispatch_id)["status"] == "CANCELLED"
    assert arn not in [each["task"] for each in region.tasks()]


def test_capacity_that_is_missing_keeps_it_waiting_with_the_reason(
    region: LocalRegion, api: httpx.Client, repository: str
) -> None:
    region.fault("capacity", available=False)
    try:
        dispatch_id = post(api, repository)

        def refused() -> bool:
            """At first it waits for its turn; then for what ECS refused."""
            reason = api.get(f"/dispatch/{dispatch_id}").json().get("waitingReason") or {}
            return reason.get("issue") == "dispatch-stuck-pending" or "apacity" in reason.get("summary", "")

        region.wait_for(refused, 20, "the reason for which it waits")
        assert api.get(f"/dispatch/{dispatch_id}").json()["status"] == "PENDING"
    finally:
        region.fault("capacity", available=True)
    assert ended(region, api, dispatch_id, 60)["status"] == "COMPLETED"


def test_a_killed_worker_is_a_failure_with_its_evidence(
    region: LocalRegion, api: httpx.Client, repository: str
) -> None:
    dispatch_id = post(api, repository, "rehearse: sleep 60")
    running(region, api, dispatch_id)
    region.fault("oom", task=api.get(f"/dispatch/{dispatch_id}").json()["taskArn"])
    done = ended(region, api, dispatch_id)
    assert (done["status"], done["exitCode"]) == ("FAILED", 137)
    assert done["reason"]["runbook"].startswith("memory-pressure")


def test_events_that_are_dropped_are_made_up_for(
    region: LocalRegion, api: httpx.Client, repository: str
) -> None:
    """The worker's own report ends it; the lost STOPPED event leaves no trace."""
    region.fault("events", kind="drop")
    try:
        assert ended(region, api, post(api, repository))["status"] == "COMPLETED"
    finally:
        region.fault("clear")


def test_the_audit_trail_is_written_with_the_roles_own_permissions(
    region: LocalRegion, api: httpx.Client, repository: str
) -> None:
    dispatch_id = post(api, repository)
    patient(api, f"/dispatch/{dispatch_id}")

    def entries() -> set[tuple[str, str]]:
        return {
            (each["action"], each["path"]) for each in patient(api, "/audit")["entries"] if "path" in each
        }

    wanted = {("POST /dispatch", "/dispatch"), ("GET /dispatch/{dispatch_id}", f"/dispatch/{dispatch_id}")}
    region.wait_for(lambda: wanted <= entries() or None, 15, "the calls in the audit trail")
