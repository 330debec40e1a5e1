"""The control plane's process: its settings, and how it stops."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmarks.control_plane import free_port, healthy, process_environment
from outpost.errors import OutpostError
from service.settings import from_environment
from tests.service.harness import World

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = (
    *("OUTPOST_STACK", "AWS_REGION", "ECS_CLUSTER", "JOBS_TABLE", "API_KEYS_TABLE", "AUDIT_TABLE"),
    *("WORKSPACES_TABLE", "S3_ARTIFACTS_BUCKET", "LAUNCH_QUEUE_URL", "EVENTS_QUEUE_URL", "WORKER_SUBNETS"),
    *("WORKER_SECURITY_GROUP", "CONTROL_PLANE_URL", "WORKER_TOKEN_KEY"),
)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_setting_that_is_missing_is_named(name: str) -> None:
    environment = {each: "x" for each in REQUIRED if each != name}
    with pytest.raises(OutpostError, match=rf"^{name} is not set.*health-check-failing/missing-environment"):
        from_environment(environment)


@pytest.mark.parametrize("value", ["x", "0", "-1", "8080.0"])
def test_a_number_that_is_none_is_named(value: str) -> None:
    with pytest.raises(OutpostError, match="PORT"):
        from_environment({**dict.fromkeys(REQUIRED, "x"), "PORT": value})


def test_the_token_key_is_not_shown() -> None:
    settings = from_environment({**dict.fromkeys(REQUIRED, "x"), "WORKER_TOKEN_KEY": "very-secret"})
    assert "very-secret" not in repr(settings)


def test_without_settings_it_exits_with_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service"],
        env={"PATH": os.environ["PATH"]},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "OUTPOST_STACK" in done.stderr


def test_sigterm_drops_no_request(world: World) -> None:
    """The load balancer sends requests for two more seconds; each is answered."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "service"],
        env=process_environment(world, port),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    answered: list[int] = []
    dropped: list[Exception] = []
    key = world.key()
    deregistered = threading.Event()

    def ask() -> None:
        while not deregistered.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            try:
                connection.request("GET", "/dispatch", headers={"X-API-Key": key})
                answered.append(connection.getresponse().status)
            except (OSError, http.client.HTTPException) as error:
                dropped.append(error)
                return
            finally:
                connection.close()

    try:
        end = time.monotonic() + 30
        while not healthy(port):
            assert time.monotonic() < end
            time.sleep(0.02)
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        while len(answered) < 5:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        deregistered.wait(2)
        deregistered.set()
        for thread in threads:
            thread.join(60)
        assert process.wait(60) == -signal.SIGTERM  # 143 to ECS: a normal shutdown
    finally:
        process.kill()
    assert set(answered) == {200}
    assert dropped == []


def test_a_table_that_is_missing_ends_the_start_with_one_line(world: World) -> None:
    environment = process_environment(world, free_port()) | {"AUDIT_TABLE": "outpost-audit-nowhere"}
    done = subprocess.run(
        [sys.executable, "-m", "service"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "table outpost-audit-nowhere" in line
    assert "runbook health-check-failing/dynamodb-unreachable" in line


def test_without_its_tables_in_reach_it_serves_degraded(world: World) -> None:
    port = free_port()
    environment = process_environment(world, port) | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    process = subprocess.Popen(
        [sys.executable, "-m", "service"], env=environment, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 30
        while answer(port) == 0:
            assert process.poll() is None, "it must not exit"
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait(30)


def answer(port: int) -> int:
    """The status of the health check; 0 while nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
