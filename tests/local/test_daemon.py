"""The daemon's own life: ports, crashes, and that nothing outlives it."""

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local import up
from local.state import Identity, Paths, load
from local.testing import LocalRegion
from outpost.errors import OutpostError
from tests.local.bench import Bench

pytestmark = pytest.mark.region
ROOT = Path(__file__).resolve().parents[2]


def started_by(paths: Paths) -> list[psutil.Process]:
    """The daemon and every process under it."""
    identity = Identity.load(paths.process)
    assert identity is not None
    daemon = psutil.Process(identity.pid)
    return [daemon, *daemon.children(recursive=True)]


def invoke(paths: Paths, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=ROOT,
        env={**os.environ, "OUTPOST_STATE_DIR": str(paths.directory)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_daemon(tmp_path: Path, number: int) -> None:
    region = LocalRegion.start(tmp_path, deploy=False)
    try:
        bench = Bench(region)
        source = (
            "import signal, subprocess, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
            "print('ready', flush=True); time.sleep(300)"
        )
        task = bench.run(bench.register(bench.program(source)))
        region.wait_for(lambda: bench.log(task))
        processes = started_by(region.paths)
        assert len(processes) >= 5  # daemon, fork server, shim, program, its child

        os.kill(processes[0].pid, number)

        _, alive = psutil.wait_procs(processes, timeout=20)
        assert not alive
    finally:
        region.stop()


def test_a_region_ends_with_the_process_it_belongs_to(tmp_path: Path) -> None:
    source = (
        "import sys, time; from pathlib import Path; from local.testing import LocalRegion\n"
        "LocalRegion.start(Path(sys.argv[1]), deploy=False); print('up', flush=True); time.sleep(300)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", source, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        processes = started_by(Paths(tmp_path))
        owner.kill()

    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not alive


def test_a_crash_is_told_with_the_log_and_the_next_start_works(tmp_path: Path) -> None:
    region = LocalRegion.start(tmp_path, deploy=False)
    os.kill(region.info.pid, signal.SIGKILL)
    psutil.Process(region.info.pid).wait(20)

    told = invoke(region.paths, "local.status")

    assert told.returncode == 1
    assert "crashed" in told.stderr
    assert "daemon.log" in told.stderr
    with LocalRegion.start(tmp_path, deploy=False) as again:
        assert again.tasks() == []


def test_a_port_in_use_is_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for ports in ({"port": port}, {"aws_port": port}):
            with pytest.raises(OutpostError, match=f"port {port} on 127.0.0.1 is in use"):
                up.start(Paths(tmp_path), deploy=False, **ports)

    assert not up.running(Paths(tmp_path))


def test_the_files_with_keys_are_private_and_go_with_the_region(tmp_path: Path) -> None:
    with LocalRegion.start(tmp_path, deploy=False) as region:
        for path in (region.paths.region, region.paths.credentials):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert invoke(region.paths, "local.status").returncode == 0
        assert load(region.paths) == region.info

        down = invoke(region.paths, "local.down")

        assert down.returncode == 0
        assert load(region.paths) is None
        assert invoke(region.paths, "local.down").stderr.strip() == "No local region was running."


def test_a_process_with_the_same_id_is_not_taken_for_the_daemon(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    Identity(os.getpid(), 0.0).save(paths.process)

    assert up.running(paths) is None
    assert up.stop(paths) is False
