"""Every route answers from its own task's role; what it may not do would show in the log (see conftest)."""

from collections import defaultdict
from typing import Any

import httpx
import pytest

from local.testing import LocalRegion
from tests.service.region.test_dispatching import ended, patient, post

pytestmark = pytest.mark.region


def test_every_route_is_used(region: LocalRegion, api: httpx.Client, repository: str) -> None:
    dispatch_id = post(api, repository)
    assert ended(region, api, dispatch_id)["status"] == "COMPLETED"
    key = api.post("/keys", json={"scopes": ["status"]}).json()
    bodies: dict[str, dict[str, Any]] = {
        "/dispatch": {"agent": "claude", "task": "say hello", "repository": repository},
        "/keys": {"scopes": ["status"]},
        "/promote": {"dispatchId": dispatch_id},
        "/workspaces": {"name": "routes"},
    }
    values = defaultdict(
        lambda: "01JZ0000000000000000000000", dispatch_id=dispatch_id, key_id=key["apiKeyId"]
    )
    statuses = {}
    for path, methods in patient(api, "/openapi.json")["paths"].items():
        if path.startswith("/worker/"):
            continue  # a worker used them for the dispatch above
        for method in methods:
            body = bodies.get(path, {}) if method in ("post", "patch") else None
            answer = api.request(method, path.format_map(values), json=body)
            statuses[f"{method} {path}"] = answer.status_code
    assert {route: status for route, status in statuses.items() if status >= 500} == {}
    assert sum(status < 300 for status in statuses.values()) >= len(statuses) / 2, statuses
