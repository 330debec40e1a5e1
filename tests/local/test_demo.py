"""`./inv demo`, as a person runs it: it ends well, and it leaves nothing behind, also when interrupted."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]


def start(tmp_path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "invoke", "demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def left_behind(tmp_path: Path) -> list[str]:
    """Processes of the demo's region, and its files."""
    found = [str(path) for path in tmp_path.glob("outpost-demo-*")]
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = [*(process.info["cmdline"] or []), process.info["cwd"] or ""]
        if any(word.startswith(str(tmp_path)) for word in words):
            found.append(f"{process.pid} {process.info['cmdline']}")
    return found


@pytest.mark.region
def test_the_demo_shows_it_all_and_takes_its_region_down(tmp_path: Path) -> None:
    process = start(tmp_path)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert "COMPLETED" in output
    assert "+- rehearsal of claude" in output
    assert "FAIL efs-mount-failure/nfs-blocked" in output
    assert "mended: efs-mount-failure/nfs-blocked" in output
    assert "All of it happened" in output
    assert left_behind(tmp_path) == []


@pytest.mark.region
def test_an_interrupted_demo_takes_its_region_down(tmp_path: Path) -> None:
    process = start(tmp_path)
    give_up = time.monotonic() + 60
    while not list(tmp_path.glob("outpost-demo-*/region/daemon.json")):
        assert time.monotonic() < give_up, "the region's process did not start"
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert left_behind(tmp_path) == []
