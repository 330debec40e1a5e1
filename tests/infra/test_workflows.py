"""The workflows: pinned, least privileged, without stored keys, and calling tasks that exist."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.commands import unknown

FOLDER = Path(__file__).parents[2] / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
# Each commit was compared with what other repositories pin for the same version (docs/adr/0051).
PINNED = {
    "actions/checkout": "de0fac2e4500dabe0009e67214ff5f5447ce83dd",
    "actions/setup-python": "a309ff8b426b58ec0e2a45f0f869d46889d02405",
    "aws-actions/configure-aws-credentials": "8df5847569e6427dd6c4fb1cf565c83acfa8afa7",
    "docker/setup-buildx-action": "8d2750c68a42422c14e847fe6c8ac0403b4cbd6f",
    "docker/setup-qemu-action": "c7c53464625b32c7a7e944ae62b3e17d2b600130",
    "pulumi/actions": "8582a9e8cc630786854029b4e09281acd6794b58",
}


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def workflow(request: pytest.FixtureRequest) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(request.param.read_text(), Loader=yaml.BaseLoader)
    return document


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job.get("steps", ())


def named(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load((FOLDER / name).read_text(), Loader=yaml.BaseLoader)
    return document


def test_there_are_the_three() -> None:
    assert [path.name for path in FILES] == ["checks.yml", "deploy.yml", "preview.yml"]


def test_actions_are_pinned_by_commit(workflow: dict[str, Any]) -> None:
    for step in steps(workflow):
        if "uses" in step:
            action, _, commit = step["uses"].partition("@")
            assert PINNED[action] == commit


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_pin_names_its_version(path: Path) -> None:
    for line in path.read_text().splitlines():
        if re.search(r"uses: [^.]", line):
            assert re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_nothing_is_permitted_but_what_a_job_names(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert set(job["permissions"]) <= {"contents", "id-token", "pull-requests"}
        assert job["permissions"]["contents"] == "read"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_stored_key_is_used(path: Path) -> None:
    """GitHub's own token and OIDC are enough."""
    assert "secrets." not in path.read_text()
    assert "pull_request_target" not in path.read_text()


def test_no_checkout_leaves_its_token_behind(workflow: dict[str, Any]) -> None:
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"


def test_expressions_stay_out_of_scripts(workflow: dict[str, Any]) -> None:
    """What a title or a branch says must not become a command."""
    for step in steps(workflow):
        assert "${{" not in step.get("run", "")


def test_every_task_that_is_called_exists_with_its_options(workflow: dict[str, Any]) -> None:
    assert [problem for step in steps(workflow) for problem in unknown(step.get("run", ""))] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/deployment.md"])
def test_every_command_that_is_documented_exists_with_its_options(name: str) -> None:
    text = (FOLDER.parents[1] / name).read_text()
    assert "./inv" in text
    assert unknown(text) == []


def test_a_command_that_does_not_exist_is_found() -> None:
    assert unknown("run `./inv destroy --all`") == ["destroy --all: there is no task destroy"]
    assert unknown("./inv cost --free | head") == ["cost --free: cost has no --free"]


def test_a_deployment_waits_for_the_checks_and_for_the_environment() -> None:
    deploy = named("deploy.yml")["jobs"]["deploy"]
    assert deploy["needs"] == "checks"
    assert deploy["environment"] == "${{ inputs.stack || 'dev' }}"


def test_only_a_failing_version_is_rolled_back() -> None:
    by_name = {step.get("name"): step for step in named("deploy.yml")["jobs"]["deploy"]["steps"]}
    names = list(by_name)
    assert (
        names.index("Deploy") < names.index("Diagnose") < names.index("Smoke test") < names.index("Roll back")
    )
    condition = by_name["Roll back"]["if"]
    assert condition.startswith("failure() && (")
    assert "steps.deploy.outputs.code == '3'" in condition


def test_forks_get_no_credentials() -> None:
    condition = named("preview.yml")["jobs"]["preview"]["if"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in condition


def test_zizmor_finds_nothing() -> None:
    done = subprocess.run(
        ["zizmor", "--offline", "--quiet", FOLDER], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
