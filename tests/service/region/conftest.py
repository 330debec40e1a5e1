"""A client and a repository for the control plane in the local region; nothing is denied it there."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.testing import LocalRegion
from outpost import names


@pytest.fixture
def api(region: LocalRegion) -> httpx.Client:
    return httpx.Client(base_url=region.api_url, headers={"X-API-Key": region.api_key}, timeout=30)


@pytest.fixture
def repository(tmp_path: Path) -> str:
    """A git repository with one commit on main."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path)], check=True)
    (tmp_path / "README.md").write_text("hello\n")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "first"], check=True)
    return str(tmp_path)


@pytest.fixture(scope="module", autouse=True)
def nothing_was_denied(region: LocalRegion) -> Iterator[None]:
    """Fail a module in which AWS denied the control plane anything.

    What is denied is not always seen by a client: a loop tries again later, a batch is put off. It stands in
    the log all the same.
    """
    begun = int(time.time() * 1000)
    yield
    pages = region.client("logs").get_paginator("filter_log_events")
    found = pages.paginate(
        logGroupName=names.CONTROL_PLANE_LOG_GROUP, startTime=begun, filterPattern='"AccessDenied"'
    )
    assert [event["message"] for page in found for event in page["events"]] == []
