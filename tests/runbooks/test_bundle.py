"""Bundles: the same verdict offline, and nothing in them that is secret."""

import gzip
from pathlib import Path

import pytest

from outpost.errors import OutpostError
from runbooks.bundle import load, save
from runbooks.looking import CouldNotLook
from runbooks.report import document
from runbooks.run import Report, diagnose
from tests.runbooks.world import FILES, World, target, task

KEY = "otp_" + "ab12" * 16


def _replayed(report: Report, path: Path) -> Report:
    assert report.look is not None
    save(report.look, report.target, path)
    saved, reader = load(path)
    return diagnose(saved, reader)


def _judgements(report: Report) -> list[tuple[str, str, str]]:
    return [(j.cause.key, j.judgement.verdict.value, j.judgement.summary) for j in report.judged]


@pytest.mark.parametrize("broken", ["nothing", "nfs", "crash", "blind", "jobs"])
def test_the_verdict_is_the_same_offline(world: World, tmp_path: Path, broken: str) -> None:
    if broken == "nfs":
        world.groups[FILES]["IpPermissions"] = []
    if broken == "crash":
        world.stopped = [task("x", "STOPPED", world.service["taskDefinition"], exitCode=139, lived=1)]
        world.service["runningCount"] = 0
    if broken == "blind":
        world.failing["ecs:DescribeTasks"] = CouldNotLook(
            "ecs:DescribeTasks", "denied", "", "ecs:DescribeTasks"
        )
    if broken == "jobs":
        world.add_job(
            reason={"issue": "agent-fails-immediately", "cause": "model-not-found", "summary": "no"}
        )
    report = diagnose(target(), world)
    again = _replayed(report, tmp_path / "bundle.gz")
    assert _judgements(again) == _judgements(report)
    assert again.exit_code == report.exit_code
    assert again.calls == report.calls
    assert document.document(again)["findings"] == document.document(report)["findings"]


@pytest.mark.parametrize("key", [KEY, "", "sk-ant-not-one-of-outposts-keys"])
def test_the_readers_key_is_judged_the_same_offline(world: World, tmp_path: Path, key: str) -> None:
    report = diagnose(target(api_key=key, api_url="http://api"), world)
    path = tmp_path / "bundle.gz"
    assert _judgements(_replayed(report, path)) == _judgements(report)
    assert not key or key not in gzip.decompress(path.read_bytes()).decode()


def test_nothing_secret_is_saved(world: World, tmp_path: Path) -> None:
    world.environment["DATABASE_PASSWORD"] = "hunter2hunter2"
    world.put_control_plane(7)
    world.log["/ecs/outpost-control-plane"] = [f"ERROR Authorization: Bearer {'x' * 40} {KEY}"]
    report = diagnose(target(api_key=KEY, api_url="http://api"), world)
    path = tmp_path / "bundle.gz"
    again = _replayed(report, path)
    text = gzip.decompress(path.read_bytes()).decode()
    for secret in (KEY, "hunter2", "x" * 40):
        assert secret not in text
    assert KEY[:15] in text
    assert again.verdict == report.verdict


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bundle.gz"
    path.write_text("no")
    with pytest.raises(OutpostError, match="is not a bundle"):
        load(path)
    with pytest.raises(OutpostError, match="is not a bundle"):
        load(tmp_path / "missing.gz")
