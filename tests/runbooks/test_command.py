"""The command: data on stdout, talk on stderr, the verdict last, and flags that make sense."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from outpost.errors import OutpostError
from runbooks.bundle import save
from runbooks.command import Options, run
from runbooks.publishing import KEY, publish
from runbooks.run import diagnose
from tests.runbooks.world import FILES, NAMES, World, target

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "flags",
    [
        {"format": "yaml"},
        {"yes": True},
        {"plan": "abc"},
        {"replay": "x", "watch": True},
        {"watch": True, "fix": True},
    ],
)
def test_flags_that_make_no_sense_are_refused(flags: dict[str, Any]) -> None:
    with pytest.raises(OutpostError):
        Options(**flags)


def _saved(world: World, path: Path) -> str:
    report = diagnose(target(), world)
    assert report.look is not None
    save(report.look, report.target, path)
    return str(path)


@pytest.mark.parametrize("format", ["terminal", "json", "junit", "sarif", "html"])
def test_data_and_talk_are_apart(world: World, tmp_path: Path, format: str) -> None:
    world.groups[FILES]["IpPermissions"] = []
    data: list[str] = []
    talk: list[str] = []
    options = Options(replay=_saved(world, tmp_path / "b.gz"), format=format)
    assert run(options, out=data.append, say=talk.append) == 3
    assert talk[0].startswith("diagnose: stack dev in us-east-1")
    last = data[-1] if format == "terminal" else talk[-1]
    assert last.startswith("failing: efs-mount-failure/nfs-blocked")
    if format != "terminal":
        assert len(data) == 1


def test_the_process_exits_with_the_verdict(world: World, tmp_path: Path) -> None:
    path = _saved(world, tmp_path / "b.gz")
    command = [sys.executable, "-m", "invoke", "diagnose", "--replay", path, "--format", "json"]
    healthy = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert healthy.returncode == 0, healthy.stderr
    assert json.loads(healthy.stdout)["verdict"] == "healthy"
    assert healthy.stderr.splitlines()[-1].startswith("healthy: 59 causes checked")
    usage = subprocess.run(
        [*command, "--issue", "nope"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (usage.returncode, usage.stdout) == (2, "")


def test_an_unreachable_region_is_5_and_one_clear_line() -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "OUTPOST_"))
    }
    environment |= {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }
    command = [sys.executable, "-m", "invoke", "diagnose"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert done.stdout.startswith("unknown: nothing could be looked at")
    assert "Traceback" not in done.stdout + done.stderr


def test_a_report_is_published_with_its_time(world: World) -> None:
    put: dict[str, Any] = {}

    class Bucket:
        def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
            assert operation == "s3:PutObject"
            put.update(parameters)
            return {}

    where = publish(diagnose(target(), world), Bucket(), NAMES)
    assert where == f"s3://{NAMES.artifacts_bucket}/{KEY}"
    body = json.loads(put["Body"])
    assert (body["verdict"], body["publishedAt"]) == ("healthy", "2026-01-14T12:00:00+00:00")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_watch_tells_what_changes_and_reports_when_it_is_interrupted(
    tmp_path: Path, ending: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM end it with the last report on stdout and its exit code, without a traceback."""
    fault = tmp_path / "fault"
    watching = subprocess.Popen(
        [sys.executable, "-m", "tests.runbooks.stand_in_watched_stack", str(fault)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert watching.stderr is not None
        assert watching.stderr.readline().startswith("diagnose: stack dev in us-east-1")
        assert " healthy: " in watching.stderr.readline()
        fault.touch()
        # The next line it says: it was silent while nothing changed.
        assert " failing: efs-mount-failure/nfs-blocked" in watching.stderr.readline()
        watching.send_signal(ending)
        out, err = watching.communicate(timeout=30)
    finally:
        watching.kill()
    assert watching.returncode == 3
    assert json.loads(out)["verdict"] == "failing"
    assert err.startswith("failing: efs-mount-failure/nfs-blocked")
    assert len(err.splitlines()) == 1


def test_progress_is_told_while_it_looks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbooks.aws.AwsReader", lambda connection: world)
    told: list[str] = []
    run(Options(), out=lambda text: None, say=lambda line: None, progress=told.append)
    assert len(told) == 59
    assert told[-1].startswith("59 checked: ")
    assert {line.split()[2] for line in told} <= {"OK", "SKIPPED", "FAIL", "WARN", "UNKNOWN"}


def test_progress_is_one_line_of_a_terminal_and_nothing_in_a_pipe(tmp_path: Path, world: World) -> None:
    """On a terminal each is written over the one before, and is gone before anything else is written."""
    command = [sys.executable, "-m", "tests.runbooks.stand_in_diagnosed_stack"]
    piped = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "checked:" not in piped.stderr
    master, terminal = os.openpty()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=terminal) as process:
        os.close(terminal)
        assert process.stdout is not None
        assert process.stdout.read().decode().startswith("healthy: ")
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert "59 checked: " in shown
    assert shown.endswith("\r\x1b[K")


def test_a_bundle_holds_what_the_page_shows(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbooks.aws.AwsReader", lambda connection: world)
    path = str(tmp_path / "b.gz")
    run(Options(bundle=path), out=lambda text: None, say=lambda line: None)
    pages: list[str] = []
    run(Options(replay=path, format="html"), out=pages.append, say=lambda line: None)
    assert "Could not be looked at" not in pages[0]
