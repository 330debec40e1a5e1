"""The control plane as a process of its own, against an embedded AWS: calls, CPU, memory, start-up.

The emulator is the bottleneck here, so requests per second say nothing; CPU seconds of the control plane's
own process and the calls it makes do. The peer's numbers are those of the original control plane
(TypeScript, Express, AWS SDK v3) against the same kind of emulator.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.counting import counting
from benchmarks.rows import Row, report
from local.testing import LocalRegion
from tests.service.harness import World, make_world, operator_keys

ROOT = Path(__file__).resolve().parents[1]
BODY = json.dumps({"agent": "claude", "task": "add a README", "repository": "acme/site"})
# What the loops do in the background, whether or not anyone calls.
BACKGROUND = {
    *("ReceiveMessage", "GetQueueAttributes", "DescribeTaskDefinition", "DescribeServices", "DescribeSecret"),
    *("ListTasks", "DescribeTasks", "RunTask", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"),
}


@dataclass
class Client:
    """One kept-alive connection to the control plane."""

    port: int
    key: str
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def call(self, method: str, path: str, body: str | None = None) -> dict[str, object]:
        headers = {"X-API-Key": self.key, "Content-Type": "application/json"}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        found: dict[str, object] = json.loads(answer.read())
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {found}")
        return found


@dataclass
class Server:
    """The control plane's process."""

    process: psutil.Process
    port: int
    started_in: float

    def cpu(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system

    def memory(self) -> float:
        """Resident, in MB."""
        return self.process.memory_info().rss / 1e6


def process_environment(world: World, port: int) -> dict[str, str]:
    settings = world.settings
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "OUTPOST_"))},
        "AWS_ENDPOINT_URL": world.endpoint,
        "AWS_ACCESS_KEY_ID": world.credentials[0],
        "AWS_SECRET_ACCESS_KEY": world.credentials[1],
        "AWS_REGION": settings.region,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "OUTPOST_STACK": settings.stack,
        "ECS_CLUSTER": settings.cluster,
        "JOBS_TABLE": settings.jobs_table,
        "API_KEYS_TABLE": settings.api_keys_table,
        "AUDIT_TABLE": settings.audit_table,
        "WORKSPACES_TABLE": settings.workspaces_table,
        "S3_ARTIFACTS_BUCKET": settings.artifacts_bucket,
        "LAUNCH_QUEUE_URL": settings.launch_queue_url,
        "EVENTS_QUEUE_URL": settings.events_queue_url,
        "WORKER_SUBNETS": ",".join(settings.worker_subnets),
        "WORKER_SECURITY_GROUP": settings.worker_security_group,
        "CONTROL_PLANE_URL": settings.control_plane_url,
        "WORKER_TOKEN_KEY": settings.worker_token_key,
        "TENANT_MAX_ACTIVE": "1000000",
        "TENANT_MAX_PER_DAY": "1000000",
        "KEY_REQUESTS_PER_MINUTE": "1000000",
        "LAUNCHES_PER_SECOND": "1",  # the cost of posting is measured, not that of launching
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def healthy(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False


@contextmanager
def control_plane(world: World) -> Iterator[Server]:
    """Start it, yield when it answers healthy, stop it by SIGTERM."""
    port = free_port()
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "service"],
        env=process_environment(world, port),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        while not healthy(port):
            if process.poll() is not None or time.perf_counter() - begun > 30:
                raise RuntimeError("the control plane did not start")
            time.sleep(0.01)
        yield Server(psutil.Process(process.pid), port, time.perf_counter() - begun)
    finally:
        process.terminate()
        process.wait(60)


def cpu_of(server: Server, times: int, action: Callable[[], object]) -> float:
    """CPU seconds of the control plane per 1,000 of the action."""
    for _ in range(20):
        action()
    before = server.cpu()
    for _ in range(times):
        action()
    return (server.cpu() - before) * 1000 / times


def calls_of(world: World, action: Callable[[], object]) -> Counter[str]:
    """The AWS calls that an action makes, without those of the background."""
    return Counter(call for call in world.calls_of(action) if call not in BACKGROUND)


def measure(requests: int = 300) -> list[Row]:
    """All rows, from one run."""
    with (
        tempfile.TemporaryDirectory() as state,
        LocalRegion.start(Path(state), deploy=False) as region,
        counting(region.aws_url) as (endpoint, counter),
    ):
        world = make_world(endpoint, counter, credentials=operator_keys(region.paths))
        ecs = world.boto("ecs")
        ecs.create_cluster(clusterName=world.settings.cluster)
        key = world.key()
        with control_plane(world) as server:
            rows = []
            for row in _rows(world, server, Client(server.port, key), requests):
                print(f"{row.name}: {row.measured:.3g} {row.unit}", file=sys.stderr, flush=True)
                rows.append(row)
            return rows


def _rows(world: World, server: Server, client: Client, requests: int) -> Iterator[Row]:
    def post() -> str:
        return str(client.call("POST", "/dispatch", BODY)["dispatchId"])

    time.sleep(2)
    yield Row(name="start to healthy", peer="0.3", goal=1.5, measured=server.started_in, unit="s")
    yield Row(name="memory at rest", peer="77", goal=110, measured=server.memory(), unit="MB")

    cold = calls_of(world, lambda: client.call("GET", "/fleet"))
    yield Row(name="calls to authenticate, first", peer="2", goal=1, measured=cold.total(), unit="calls")
    again = calls_of(world, lambda: client.call("GET", "/fleet"))
    yield Row(name="calls, GET /fleet, known key", peer="1-21", goal=0, measured=again.total(), unit="calls")
    health = calls_of(world, lambda: client.call("GET", "/health"))
    yield Row(name="calls, GET /health", peer="1", goal=0, measured=health.total(), unit="calls")
    post()
    calls = calls_of(world, post)
    yield Row(name="calls, POST /dispatch", peer="14", goal=2, measured=_own(calls), unit="calls")
    dispatch_id = post()
    calls = calls_of(world, lambda: client.call("GET", f"/dispatch/{dispatch_id}"))
    yield Row(name="calls, GET /dispatch/ID", peer="5", goal=1, measured=calls["GetItem"], unit="calls")
    ended = post()
    time.sleep(0.5)
    client.call("DELETE", f"/dispatch/{ended}")
    client.call("GET", f"/dispatch/{ended}")
    calls = calls_of(world, lambda: client.call("GET", f"/dispatch/{ended}"))
    yield Row(name="calls, the same, ended", peer="5", goal=0, measured=calls["GetItem"], unit="calls")

    cpu = cpu_of(server, requests * 4, lambda: client.call("GET", "/health"))
    yield Row(name="CPU per 1,000 GET /health", peer="1.3", goal=0.3, measured=cpu, unit="s")
    cpu = cpu_of(server, requests * 2, lambda: client.call("GET", f"/dispatch/{dispatch_id}"))
    yield Row(name="CPU per 1,000 GET /dispatch/ID", peer="7.1", goal=2, measured=cpu, unit="s")
    cpu = cpu_of(server, requests, post)
    yield Row(name="CPU per 1,000 POST /dispatch", peer="18.8", goal=5, measured=cpu, unit="s")
    yield Row(name="memory after load", peer="121", goal=150, measured=server.memory(), unit="MB")


def _own(calls: Counter[str]) -> int:
    """Of a post: what the request itself does, not the launcher that it wakes."""
    return calls["TransactWriteItems"] + calls["SendMessage"]


def main() -> int:
    """Print the rows; 1 when a promise is not kept."""
    return report(measure())


if __name__ == "__main__":
    sys.exit(main())
