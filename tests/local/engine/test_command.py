"""`python -m local.engine` on a region that runs: what a person or a pipeline does to a live stack."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.engine.project import ROOT
from local.engine_tasks import engine_environment
from local.testing import LocalRegion
from outpost.names import SERVICE, Names

pytestmark = pytest.mark.region

NAMES = Names("dev")


def engine(region: LocalRegion, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = engine_environment(region.paths, region.info)
    command = [sys.executable, "-m", "local.engine", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def running(region: LocalRegion) -> int:
    service = region.client("ecs").describe_services(cluster=NAMES.cluster, services=[SERVICE])["services"][0]
    return int(service["runningCount"])


def test_a_live_stack_is_changed_in_place_and_destroyed_to_nothing(fresh_region: LocalRegion) -> None:
    changed = engine(fresh_region, "up", "--setting", "replicas=2", "--setting", "logLevel=debug")
    assert changed.returncode == 0, changed.stderr
    assert json.loads(changed.stdout)["cluster"] == NAMES.cluster
    assert "replaced  outpost" in changed.stderr  # the task definition, by its environment
    assert f"aws:ecs/taskDefinition:TaskDefinition::{SERVICE}" in changed.stderr
    fresh_region.wait_for(lambda: running(fresh_region) == 2, what="two replicas")

    destroyed = engine(fresh_region, "destroy")
    assert destroyed.returncode == 0, destroyed.stderr
    fresh_region.wait_for(lambda: not fresh_region.tasks(), what="the end of all tasks")
    assert fresh_region.client("dynamodb").list_tables()["TableNames"] == []
    assert fresh_region.client("s3").list_buckets()["Buckets"] == []
    state = json.loads((fresh_region.paths.directory / "stack.json").read_text())
    assert state["resources"] == []


@pytest.mark.parametrize("place", [{}, {"AWS_ENDPOINT_URL": "https://dynamodb.us-east-1.amazonaws.com"}])
def test_it_works_in_no_other_place_than_a_local_region(tmp_path: Path, place: dict[str, str]) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    environment = {**kept, "OUTPOST_STATE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT), **place}
    command = [sys.executable, "-m", "local.engine", "destroy"]
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "works on a local region only" in refused.stderr
