"""A fuzzer reads the OpenAPI document and finds nothing: no 500, nothing undocumented, nothing wrong taken.

`OUTPOST_FUZZ=200` runs more examples of each operation.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from service.app import application
from service.domain.events import LaunchClaimed
from service.domain.tokens import WorkerIdentity
from service.routers.openapi import WORKERS
from tests.service.harness import OneAtATime, make_world

EXAMPLES = os.environ.get("OUTPOST_FUZZ", "8")
LIMITS = {"requestsPerMinute": 10_000_000, "maxActive": 1_000_000, "maxPerDay": 1_000_000}


# A stream does not end as long as its dispatch runs; what it answers is tested in test_outputs.py.
NO_STREAMS = """
[[operations]]
include-path = "/dispatch/{{dispatch_id}}/logs"
parameters = {{ "path.dispatch_id" = "{dispatch_id}", "query.follow" = false }}
"""


@dataclass(frozen=True, kw_only=True)
class Served:
    """The API with a key of an admin, and a dispatch with the token of its worker."""

    url: str
    key: str
    dispatch_id: str
    token: str


@pytest.fixture
def served(aws: tuple[str, OneAtATime]) -> Iterator[Served]:
    # Where every repository of the document is taken, and a workspace can be made.
    world = make_world(*aws, local_region=True, persistent_tenants=frozenset({"fuzz"}))
    server = uvicorn.Server(
        uvicorn.Config(
            application(world.services), port=0, log_config=None, http="httptools", access_log=False
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    key = world.key("fuzz", **LIMITS)
    with world.http() as client:
        made = client.post("/dispatch", json={"agent": "aider", "task": "x"}, headers={"X-API-Key": key})
    dispatch_id = made.json()["dispatchId"]
    world.services.dispatches.apply("fuzz", dispatch_id, LaunchClaimed())
    token = world.services.tokens.issue(WorkerIdentity("fuzz", dispatch_id, 1))
    yield Served(url=f"http://127.0.0.1:{port}", key=key, dispatch_id=dispatch_id, token=token)
    server.should_exit = True
    thread.join()


def fuzz(served: Served, directory: Path, *options: str) -> None:
    (directory / "schemathesis.toml").write_text(NO_STREAMS.format(dispatch_id=served.dispatch_id))
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("st")), "run", f"{served.url}/openapi.json", *options),
            *("--max-examples", EXAMPLES, "--checks", "all", "--phases", "examples,coverage,fuzzing"),
            *("--suppress-health-check", "all", "--no-color", "--seed", "1", "--request-timeout", "30"),
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]


def test_the_fuzzer_finds_nothing(served: Served, tmp_path: Path) -> None:
    fuzz(served, tmp_path, "--header", f"X-API-Key: {served.key}", "--exclude-tag", WORKERS)


def test_the_fuzzer_finds_nothing_with_a_workers_token(served: Served, tmp_path: Path) -> None:
    """An agent, whose code nobody reviewed, runs beside it."""
    fuzz(served, tmp_path, "--header", f"Authorization: Bearer {served.token}", "--include-tag", WORKERS)
