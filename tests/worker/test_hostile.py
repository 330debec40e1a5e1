"""What repositories and agents do to a worker: full disks, floods, links, pointers, submodules, slow ends."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.conftest import StartWorker, Worker, git
from tests.worker.stub import POOL_TOKEN
from tests.worker.test_main import POOL, messages, stand_in

REAL = {"OUTPOST_REAL_AGENT": "1"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True
    )
    if done.returncode != 0:
        pytest.skip("only root may mount a small file system")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def on_disk(start: StartWorker, disk: Path, path: str) -> Worker:
    return start(env={"PATH": path, "OUTPOST_WORK_DIR": str(disk / "dispatch"), **REAL})


def test_an_agent_that_fills_the_disk_is_told_so_and_keeps_its_work(
    start: StartWorker, small_disk: Path, tmp_path: Path
) -> None:
    script = 'echo done > new.txt; head -c 40000000 /dev/zero > "$HOME/cache" || echo "it is full"; exit 1'
    worker = on_disk(start, small_disk, stand_in(tmp_path / "bin", "claude", script))
    assert worker.wait() == 1, worker.log
    assert worker.result["reason"]["code"] == "disk-full", worker.log
    assert worker.result["changes"]["files"] == 1
    assert b"+done" in worker.stored["changes.patch"]
    assert {"output.log", "result.json", "manifest.json"} <= set(worker.stored)


def test_changes_that_fill_the_disk_end_with_a_log_and_a_reason(
    start: StartWorker, small_disk: Path, tmp_path: Path
) -> None:
    script = "head -c 40000000 /dev/urandom > large.bin; exit 0"
    worker = on_disk(start, small_disk, stand_in(tmp_path / "bin", "claude", script))
    assert worker.wait() == 1, worker.log
    assert worker.result["reason"]["code"] == "disk-full", worker.log
    assert {"output.log", "result.json", "manifest.json"} <= set(worker.stored)
    assert json.loads(worker.stored["result.json"])["exitCode"] == 1


def test_a_flood_of_output_is_bounded_and_its_end_kept(start: StartWorker, tmp_path: Path) -> None:
    line = "x" * 3000
    script = f"yes {line} | head -c 90000000; echo the end; echo x > new.txt"
    worker = start(env={"PATH": stand_in(tmp_path / "bin", "claude", script), **REAL})
    assert worker.wait(120) == 0, worker.log[-2000:]
    log = worker.stored["output.log"]
    assert len(log) < 70 * 1024 * 1024
    assert "the end" in messages(log[log.rindex(b"over the log's limit") :].partition(b"\n")[2])
    assert worker.output.stat().st_size < 70 * 1024 * 1024
    assert worker.result["changes"]["files"] == 1


def test_a_link_out_of_the_repository_is_stored_as_a_link(
    start: StartWorker, repository: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not to be seen\n")
    (repository / "link").symlink_to(secret)
    git(repository, "add", "link")
    git(repository, "commit", "--quiet", "-m", "A link")
    script = f"ln -s {tmp_path} directory; ln -sf {secret} README.md; echo x > new.txt"
    worker = start(env={"PATH": stand_in(tmp_path / "bin", "claude", script), **REAL})
    assert worker.wait() == 0, worker.log
    assert worker.result["changes"]["files"] == 3
    assert all(b"not to be seen" not in content for content in worker.stored.values())
    assert secret.read_text() == "not to be seen\n"


def test_an_lfs_pointer_stays_a_pointer(start: StartWorker, repository: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    (repository / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (repository / "model.bin").write_text(pointer)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "A pointer")
    worker = start()
    assert worker.wait() == 0, worker.log
    assert (worker.directory / "dispatch/repository/model.bin").read_text() == pointer
    assert worker.result["changes"]["files"] == 1


def test_a_submodule_is_left_as_it_is(start: StartWorker, repository: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "--quiet")
    git(library, "commit", "--quiet", "--allow-empty", "-m", "Start")
    git(
        repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "library"
    )
    git(repository, "commit", "--quiet", "-m", "A submodule")
    worker = start()
    assert worker.wait() == 0, worker.log
    assert worker.result["changes"]["files"] == 1
    assert b"library" not in worker.stored["changes.patch"]


def test_a_stop_while_it_clones(start: StartWorker, tmp_path: Path) -> None:
    path = stand_in(tmp_path / "bin", "git", "sleep 60")
    worker = start(env={"PATH": path})
    worker.wait_for("cloning")
    worker.process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    assert worker.wait() == 143, worker.log
    assert time.monotonic() - begun < 20
    assert worker.result["exitCode"] == 143
    assert {"output.log", "result.json"} <= set(worker.stored)


def test_a_stop_while_it_uploads(start: StartWorker) -> None:
    """The store is away until the worker is told to stop: then it has seconds, not minutes, and uses them."""
    told: list[bool] = []
    worker = start(answer=lambda path: (503, {}) if path.startswith("/put") and not told else None)
    worker.wait_until(lambda: "HTTP 503" in worker.log)
    worker.process.send_signal(signal.SIGTERM)
    told.append(True)
    assert worker.wait() == 0, worker.log
    assert "changes.patch" in worker.stored


def test_an_idle_worker_leaves_in_the_middle_of_its_question(start: StartWorker) -> None:
    asked: list[str] = []

    def slow(path: str) -> None:
        asked.append(path)
        time.sleep(8)

    worker = start(env=POOL, answer=slow)
    worker.wait_until(lambda: bool(asked))
    begun = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    assert worker.wait() == 143, worker.log
    assert time.monotonic() - begun < 6
    assert POOL_TOKEN not in worker.log
