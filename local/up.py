"""Starting, finding and ending the daemon."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from local.state import Identity, Paths, RegionInfo, load
from outpost.errors import OutpostError

ROOT = Path(__file__).resolve().parents[1]
LOG_TAIL = 20  # lines of the daemon's log that an error shows
HEALTHY_WITHIN = 180.0  # seconds; a region that fails says so at once, a busy machine takes its time
STOP_WITHIN = 20.0
POLL = 0.05


def running(paths: Paths) -> RegionInfo | None:
    """The region that lives in a state directory, once it is open; None if there is none."""
    identity = Identity.load(paths.process)
    if identity is None or identity.process() is None:
        return None
    return load(paths)


def crashed(paths: Paths) -> bool:
    """Whether a daemon ended without being told to."""
    identity = Identity.load(paths.process)
    return identity is not None and identity.process() is None


def start(
    paths: Paths,
    *,
    stack: str = "dev",
    port: int = 0,
    aws_port: int = 0,
    deploy: bool = True,
    owner: int | None = None,
) -> RegionInfo:
    """Start a daemon and wait until its load balancer answers healthy.

    `owner` is the read end of a pipe: the region ends when no process holds the write end any more.
    Raises `OutpostError`: `already-up`, or `region-failed` with the end of the daemon's log.
    """
    known = Identity.load(paths.process)
    if known and known.process():
        raise OutpostError("already-up", f"a local region is already up in {paths.directory}.")
    paths.process.unlink(missing_ok=True)
    paths.region.unlink(missing_ok=True)
    paths.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [sys.executable, "-m", "local.daemon", "--directory", str(paths.directory), "--stack", stack]
    command += ["--port", str(port), "--aws-port", str(aws_port)] + ([] if deploy else ["--no-deploy"])
    command += [] if owner is None else ["--owned"]
    with paths.log.open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL if owner is None else owner,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + HEALTHY_WITHIN
    try:
        info = _await_open(paths, process, deadline)
        if deploy:
            _await_healthy(paths, info, process, deadline)
    except BaseException:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
        raise
    return info


def stop(paths: Paths) -> bool:
    """End the daemon and all it started, by force if it takes too long; False if none was running."""
    identity = Identity.load(paths.process)
    process = identity.process() if identity else None
    if process is None:
        paths.process.unlink(missing_ok=True)
        paths.region.unlink(missing_ok=True)
        return False
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_WITHIN
    while identity and identity.process():
        if time.monotonic() > deadline:
            process.kill()
            break
        time.sleep(POLL)
    paths.process.unlink(missing_ok=True)
    paths.region.unlink(missing_ok=True)
    return True


def log_tail(paths: Paths) -> str:
    """The last lines of the daemon's log."""
    try:
        return "\n".join(paths.log.read_text(errors="replace").splitlines()[-LOG_TAIL:])
    except OSError:
        return ""


def health(info: RegionInfo) -> str:
    """What the load balancer answers to `GET /health`: the status in its document, or what went wrong."""
    try:
        with urllib.request.urlopen(f"{info.api_url}/health", timeout=5) as answer:  # noqa: S310 - our own URL
            return str(json.loads(answer.read()).get("status", ""))
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except (OSError, ValueError) as error:
        return str(error)


def control(info: RegionInfo, action: str, **arguments: Any) -> Any:
    """Call one of the region's controls. Raises `OutpostError` (`control-refused`)."""
    request = urllib.request.Request(  # noqa: S310 - our own URL
        f"{info.aws_url}/_outpost/control",
        data=json.dumps({"action": action, **arguments}).encode(),
        headers={"X-Outpost-Control": info.control_token, "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.loads(answer.read())["result"]
    except urllib.error.HTTPError as error:
        raise OutpostError("control-refused", json.loads(error.read())["error"]) from error


def _await_open(paths: Paths, process: subprocess.Popen[bytes], deadline: float) -> RegionInfo:
    while time.monotonic() < deadline:
        info = load(paths)
        if info:
            return info
        if process.poll() is not None:
            break
        time.sleep(POLL)
    raise OutpostError(
        "region-failed", f"the local region did not start. The end of {paths.log}:\n{log_tail(paths)}"
    )


def _await_healthy(paths: Paths, info: RegionInfo, process: subprocess.Popen[bytes], deadline: float) -> None:
    answer = ""
    while time.monotonic() < deadline and process.poll() is None:
        answer = health(info)
        if answer == "healthy":
            return
        time.sleep(POLL)
    raise OutpostError(
        "region-unhealthy",
        f"the load balancer at {info.api_url} answers {answer!r}. The end of {paths.log}:\n{log_tail(paths)}",
    )
