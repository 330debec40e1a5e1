"""A fuzzer reads the OpenAPI document and finds nothing: no 500, nothing undocumented, nothing wrong taken.

`OUTPOST_FUZZ=200` runs more examples of each operation.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from service.app import application
from tests.service.harness import OneAtATime, make_world

EXAMPLES = os.environ.get("OUTPOST_FUZZ", "8")
LIMITS = {"requestsPerMinute": 10_000_000, "maxActive": 1_000_000, "maxPerDay": 1_000_000}


@pytest.fixture
def served(aws: tuple[str, OneAtATime]) -> Iterator[tuple[str, str]]:
    """The URL of the API, and an admin's key."""
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
    yield f"http://127.0.0.1:{port}", world.key("fuzz", **LIMITS)
    server.should_exit = True
    thread.join()


def test_the_fuzzer_finds_nothing(served: tuple[str, str], tmp_path: Path) -> None:
    url, key = served
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("st")), "run", f"{url}/openapi.json"),
            *("--header", f"X-API-Key: {key}", "--max-examples", EXAMPLES, "--checks", "all"),
            *("--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all", "--no-color"),
            *(
                "--seed",
                "1",
                "--request-timeout",
                "30",
                "--exclude-path-regex",
                "^/dispatch/{dispatch_id}/logs$",
            ),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]
