"""A region with something to see in it, and a shell in which the guide's commands run."""

import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.testing import LocalRegion

# The guide's load balancer; each region has its own address.
GUIDE_HOST = "http://outpost-control-plane-dev-140603164.us-east-1.elb.amazonaws.com"
TERMINAL = {"COMPLETED", "FAILED", "TIMEOUT", "CANCELLED"}


@dataclass
class Guide:
    """Runs commands of the guide as they stand there, but for their placeholders and the host."""

    region: LocalRegion
    directory: Path
    tools: Path
    tenant: str
    completed: dict[str, Any]
    failed: dict[str, Any]

    def run(self, script: str, **placeholders: str) -> str:
        """Standard output of a command of the guide; it must succeed."""
        for placeholder, value in placeholders.items():
            assert placeholder in script, f"the command has no placeholder {placeholder}"
            script = script.replace(placeholder, value)
        script = script.replace(GUIDE_HOST, self.region.api_url)
        environment = self.region.environment
        environment["PATH"] = (
            f"{self.tools}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        )
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", script],
            env=environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, script: str, **placeholders: str) -> Any:
        return json.loads(self.run(script, **placeholders))

    @cached_property
    def file_system(self) -> str:
        return str(self.region.client("efs").describe_file_systems()["FileSystems"][0]["FileSystemId"])

    @cached_property
    def file_system_group(self) -> str:
        groups = self.region.client("ec2").describe_security_groups(
            Filters=[{"Name": "group-name", "Values": ["outpost-efs-dev"]}]
        )
        return str(groups["SecurityGroups"][0]["GroupId"])


@pytest.fixture(scope="session")
def guide(region: LocalRegion, tmp_path_factory: pytest.TempPathFactory) -> Guide:
    directory = tmp_path_factory.mktemp("guide")
    repository = _repository(directory / "repository")
    tenant = region.client("dynamodb").scan(TableName="outpost-api-keys-dev")["Items"][0]["tenantId"]["S"]
    return Guide(
        region=region,
        directory=directory,
        tools=_tools(directory / "tools"),
        tenant=tenant,
        completed=_dispatch(region, repository, "Add a greeting"),
        failed=_dispatch(region, "file:///no/such/repository", "Add a greeting"),
    )


def _dispatch(region: LocalRegion, repository: str, task: str) -> dict[str, Any]:
    """A dispatch that has ended, as the API shows it."""
    with httpx.Client(base_url=region.api_url, headers={"X-API-Key": region.api_key}, trust_env=False) as api:
        made = api.post("/dispatch", json={"agent": "claude", "task": task, "repository": repository})
        assert made.status_code == 202, made.text
        route = f"/dispatch/{made.json()['dispatchId']}"

        def ended() -> dict[str, Any] | None:
            found = api.get(route).json()
            return found if found.get("status") in TERMINAL else None

        dispatch = region.wait_for(ended, timeout=60, what=f"the end of {route}")
        assert dispatch is not None
        return dispatch


def _repository(path: Path) -> str:
    path.mkdir()
    (path / "README.md").write_text("A repository.\n")
    identity = ["-c", "user.name=Guide", "-c", "user.email=guide@example.com"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *arguments], cwd=path, check=True)
    return f"file://{path}"


def _tools(path: Path) -> Path:
    """Where jq is not installed, a stand-in for the guide's `jq .`."""
    path.mkdir()
    if shutil.which("jq") is None:
        stand_in = path / "jq"
        stand_in.write_text(f'#!/bin/sh\n[ "$1" = . ] && exec {sys.executable} -m json.tool\nexit 2\n')
        stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    return path
