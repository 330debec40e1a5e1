"""The exact docker commands, the tag, and what happens where docker or a commit is missing."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra import deploy_images, images_docker, images_source
from infra.images import TARGETS, Build
from outpost.agents import Agent
from outpost.errors import OutpostError
from tests.infra.stand_ins import StandIns

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    return StandIns(tmp_path, monkeypatch)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with one commit."""
    root = tmp_path / "clone"
    root.mkdir()
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "Pulumi.dev.yaml").write_text("config: {}\n")
    for command in (
        ["git", "init", "-q"],
        ["git", "add", "."],
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "first"],
    ):
        subprocess.run(command, cwd=root, check=True)
    return root


def test_every_repository_has_a_target() -> None:
    assert set(TARGETS) == {"control-plane", *Agent}


def test_build_loads_one_architecture() -> None:
    (command,) = Build(tag="abc", architectures=["X86_64"], targets=["claude"]).commands()
    assert command == [
        "docker", "buildx", "build",
        "--platform", "linux/amd64",
        "--target", "claude",
        "--build-arg", "OUTPOST_VERSION=abc",
        "--tag", "outpost-claude:abc",
        "--load",
        ".",
    ]  # fmt: skip


def test_push_of_two_architectures_makes_one_image() -> None:
    what = Build(tag="abc", architectures=["X86_64", "ARM64"], targets=["control-plane"])
    (command,) = what.commands(REGISTRY)
    assert command == [
        "docker", "buildx", "build",
        "--platform", "linux/amd64,linux/arm64",
        "--target", "control-plane",
        "--build-arg", "OUTPOST_VERSION=abc",
        "--tag", f"{REGISTRY}/outpost-control-plane:abc",
        "--push",
        ".",
    ]  # fmt: skip


def test_two_architectures_are_not_loaded() -> None:
    (command,) = Build(tag="abc", architectures=["X86_64", "ARM64"], targets=["grok"]).commands()
    assert not {"--load", "--push"} & set(command)


@pytest.mark.parametrize(
    ("targets", "architectures", "code"),
    [(["cursor"], ["ARM64"], "unknown-target"), (["grok"], ["MIPS"], "unknown-architecture")],
)
def test_what_there_is_none_of_is_named(targets: list[str], architectures: list[str], code: str) -> None:
    with pytest.raises(OutpostError) as caught:
        Build(tag="abc", architectures=architectures, targets=targets)
    assert caught.value.code == code


def test_the_tag_is_the_commit(clone: Path) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clone, capture_output=True, text=True, check=True)
    assert images_source.tag(clone) == head.stdout[:12]


def test_stack_files_are_no_part_of_images(clone: Path) -> None:
    (clone / "Pulumi.dev.yaml").write_text("config: {outpost:imageTag: abc}\n")
    assert len(images_source.tag(clone)) == 12


def test_a_dirty_tree_is_refused_unless_told(clone: Path) -> None:
    (clone / "Dockerfile").write_text("FROM busybox\n")
    with pytest.raises(OutpostError, match="Dockerfile") as caught:
        images_source.tag(clone)
    assert caught.value.code == "dirty-tree"
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert images_source.tag(clone, dirty=True, now=lambda: noon).endswith("-dirty.20261123120000")


def test_without_a_repository_there_is_no_tag(tmp_path: Path) -> None:
    with pytest.raises(OutpostError) as caught:
        images_source.tag(tmp_path)
    assert caught.value.code == "no-commit"


def test_docker_is_run_once_for_each_target(stand_ins: StandIns) -> None:
    images_docker.build(Build(tag="abc", architectures=["ARM64"]), print)
    assert [call.value("--target") for call in stand_ins.calls("docker")] == list(TARGETS)


def test_a_dry_run_runs_nothing(stand_ins: StandIns) -> None:
    said: list[str] = []
    deploy_images.build(Build(tag="abc", architectures=["ARM64"]), said.append, dry_run=True)
    assert stand_ins.calls("docker") == []
    assert len(said) == len(TARGETS)
    assert all(line.startswith("would run: docker buildx build --platform linux/arm64") for line in said)


def test_a_failed_build_stops(stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_FAILS", "--target claude")
    with pytest.raises(OutpostError, match="image of claude"):
        images_docker.build(Build(tag="abc", architectures=["ARM64"]), print)
    assert len(stand_ins.calls("docker")) == 2


def test_without_docker_the_error_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OutpostError) as caught:
        images_docker.require_docker()
    assert caught.value.code == "docker-missing"


@pytest.mark.parametrize(("fails", "code"), [("buildx", "buildx-missing"), ("info", "docker-not-running")])
def test_a_docker_that_cannot_build_is_told(
    stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch, fails: str, code: str
) -> None:
    monkeypatch.setenv("DOCKER_FAILS", fails)
    with pytest.raises(OutpostError, match="stand-in: no") as caught:
        images_docker.require_docker()
    assert caught.value.code == code


@mock_aws
def test_push_signs_in_and_leaves_what_is_there(stand_ins: StandIns) -> None:
    ecr: Any = boto3.client("ecr", "us-east-1")
    for repository in TARGETS.values():
        ecr.create_repository(repositoryName=repository)
    manifest = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}'
    ecr.put_image(repositoryName="outpost-claude", imageManifest=manifest, imageTag="abc")
    what = Build(tag="abc", architectures=["X86_64"], targets=["claude", "codex"])

    deploy_images.push(what, "dev", print, yes=True)

    *_, login, build = stand_ins.calls("docker")
    assert login.arguments[:4] == ["login", "--username", "AWS", "--password-stdin"]
    assert login.details["stdin"]
    assert build.value("--target") == "codex"
    assert build.value("--tag").endswith(".dkr.ecr.us-east-1.amazonaws.com/outpost-codex:abc")


@mock_aws
def test_push_without_repositories_says_what_makes_them(stand_ins: StandIns) -> None:
    with pytest.raises(OutpostError, match=r"\./inv deploy makes the repositories"):
        deploy_images.push(Build(tag="abc", architectures=["X86_64"]), "dev", print, yes=True)


@mock_aws
def test_push_asks(stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    ecr: Any = boto3.client("ecr", "us-east-1")
    ecr.create_repository(repositoryName="outpost-grok")
    what = Build(tag="abc", architectures=["X86_64"], targets=["grok"])
    with pytest.raises(OutpostError) as caught:
        deploy_images.push(what, "dev", print)
    assert caught.value.code == "needs-yes"
    assert not any("build" in call.arguments[1:2] for call in stand_ins.calls("docker"))
