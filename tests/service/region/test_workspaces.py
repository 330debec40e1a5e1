"""Workspaces end to end: a tenant becomes persistent by a deployment, and its dispatches find their files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.demo_tenant import TENANT
from local.engine import deploy
from local.testing import LocalRegion
from outpost.dispatch import Status

pytestmark = pytest.mark.region
ENDED = {status.value for status in Status if status.terminal}


@pytest.fixture
def api(fresh_region: LocalRegion) -> Iterator[httpx.Client]:
    region = fresh_region
    headers = {"X-API-Key": region.api_key}
    with httpx.Client(base_url=region.api_url, headers=headers, timeout=30) as client:
        refused = client.post("/workspaces", json={})
        assert refused.json()["code"] == "persistent-mode-disabled"
        deploy(
            region.stack,
            region.session,
            region.paths.directory / "stack.json",
            endpoint_url=region.aws_url,
            settings={"persistentTenants": [TENANT]},
        )
        # The old replicas refuse until they are gone: ten answers in a row are of new ones.
        region.wait_for(
            lambda: all(_status(client) == 201 for _ in range(10)), 60, "replicas that know the tenant"
        )
        yield client


def _status(client: httpx.Client) -> int:
    answer = client.post("/workspaces", json={})
    if answer.status_code == 201:
        client.delete(answer.headers["Location"])
    return answer.status_code


def test_each_workspace_keeps_its_own_files(
    fresh_region: LocalRegion, api: httpx.Client, tmp_path: Path
) -> None:
    region = fresh_region

    def run(**body: Any) -> dict[str, Any]:
        posted = api.post(
            "/dispatch", json={"agent": "claude", "task": "x", "workspace": "persistent", **body}
        )
        assert posted.status_code == 202, posted.text

        def look() -> dict[str, Any] | None:
            shown = dict(api.get(posted.headers["Location"]).json())
            return shown if shown["status"] in ENDED else None

        found = region.wait_for(look, 60, "the dispatch's end")
        assert found is not None
        assert found["status"] == "COMPLETED", found
        return found

    one, other = (api.post("/workspaces", json={"name": name}).json()["workspaceId"] for name in "ab")
    first = run(workspaceId=one)
    assert first["workspaceId"] == one
    second = run(workspaceId=one)
    assert second["changes"]["insertions"] >= 1
    run(workspaceId=other)
    run()  # the tenant's common directory, without a name: nothing of it is in the others
    (tenant,) = (region.paths.directory / "efs").glob(f"*/tenants/{TENANT}")
    kept = {
        each: next((tenant / "workspaces" / each).glob("repositories/*/repository/OUTPOST-REHEARSAL.md"))
        for each in (one, other)
    }
    assert len(kept[one].read_text().splitlines()) == 2, "the second dispatch found what the first had left"
    assert len(kept[other].read_text().splitlines()) == 1
    assert api.get(f"/workspaces/{one}").json()["activeDispatches"] == 0
    assert api.delete(f"/workspaces/{one}").status_code == 204
