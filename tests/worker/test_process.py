"""The process runner: what it shields, bounds and ends."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.worker.apart import apart
from worker import memory
from worker.memory import container_mib
from worker.process import Ended, Limits, confine_self, run
from worker.stopping import Stop

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def limits(seconds: float = 20, memory_mib: int | None = None) -> Limits:
    return Limits(deadline=time.monotonic() + seconds, stop=Stop(), memory_mib=memory_mib)


def shell(script: str, tmp_path: Path, bounds: Limits | None = None) -> tuple[Ended, list[str]]:
    lines: list[str] = []
    ended = run(
        ["sh", "-c", script],
        cwd=tmp_path,
        environment=ENVIRONMENT,
        limits=bounds or limits(),
        on_line=lines.append,
    )
    return ended, lines


@apart
def test_output_comes_line_by_line_with_both_streams(tmp_path: Path) -> None:
    ended, lines = shell("echo one; echo two >&2; printf 'no end'", tmp_path)
    assert (ended.exit_code, ended.by) == (0, "exit")
    assert lines == ["one", "two", "no end"]


@apart
def test_a_megabyte_of_output_is_read(tmp_path: Path) -> None:
    loop = "i=0; while [ $i -lt 20000 ]; do echo $i xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; i=$((i+1)); done"
    _, lines = shell(loop, tmp_path)
    assert len(lines) == 20_000


@apart
def test_an_exit_is_noticed_at_once_though_a_child_holds_the_pipe(tmp_path: Path) -> None:
    began = time.monotonic()
    ended, _ = shell("sleep 30 & exit 4", tmp_path)
    assert ended.exit_code == 4
    assert time.monotonic() - began < 15  # not the 30 of the child


@apart
def test_a_stop_from_another_thread(tmp_path: Path) -> None:
    bounds = limits()
    threading.Timer(0.3, bounds.stop.set).start()
    ended, _ = shell("sleep 30", tmp_path, bounds)
    assert ended.by == "stop"


@apart
def test_a_missing_program_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(["no-such-cli"], cwd=tmp_path, environment=ENVIRONMENT, limits=limits(), on_line=print)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user; root may read anything")
@apart
def test_a_process_of_the_same_user_cannot_read_the_workers_environment() -> None:
    reader, writer = os.pipe()
    worker = os.fork()
    if worker == 0:  # the worker, as an unprivileged user, with an agent of the same user below it
        os.setgid(65534)
        os.setuid(65534)
        confine_self()
        agent = os.fork()
        if agent == 0:
            try:
                Path(f"/proc/{os.getppid()}/environ").read_bytes()
                os.write(writer, b"read")
            except PermissionError:
                os.write(writer, b"denied")
            os._exit(0)
        os.waitpid(agent, 0)
        os._exit(0)
    os.waitpid(worker, 0)
    os.close(writer)
    assert os.read(reader, 16) == b"denied"


@apart
def test_descendants_are_found_by_both_ways() -> None:
    script = "sleep 30 & sleep 30 & sh -c 'sleep 30; :' & echo started; wait"
    process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == b"started\n"
        give_up = time.monotonic() + 10
        while len(memory.descendants()) < 5 and time.monotonic() < give_up:  # the inner sh starts its own
            time.sleep(0.01)
        assert sorted(memory.descendants()) == sorted(memory._scanned())
        assert process.pid in memory.descendants()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@apart
def test_the_container_has_at_most_its_task_definitions_memory() -> None:
    assert container_mib(64) <= 64
