"""The local region's process: `python -m local.daemon`. Started by `local.up`, ended by SIGTERM.

Everything it starts dies with it, also when it is killed (see `local.fargate.death`).
"""

import argparse
import faulthandler
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from local import demo_tenant, state
from local.region import Region, Settings
from local.state import Identity, Paths, RegionInfo
from outpost.errors import OutpostError

log = logging.getLogger("local.daemon")
ROOT = Path(__file__).resolve().parents[1]
SWITCH_INTERVAL = 0.0005  # seconds; Python's 5 ms would let a computing thread hold up every answer


@dataclass(frozen=True)
class Options:
    """`deploy` False starts an empty region, for tests; `owned`: it belongs to who holds its input open."""

    settings: Settings
    deploy: bool
    owned: bool


def main(arguments: list[str]) -> int:
    """Run until SIGTERM or SIGINT; the exit code of the process."""
    options = _parse(arguments)
    paths = Paths(options.settings.directory)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    faulthandler.enable()
    sys.setswitchinterval(SWITCH_INTERVAL)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    if options.owned:
        threading.Thread(target=_end_with_owner, name="owner", daemon=True).start()
    Identity.current().save(paths.process)
    _clean(paths)
    region = None
    try:
        region = Region(options.settings)
        _open(region, paths, deploy=options.deploy)
        threading.Event().wait()
    except OutpostError as error:
        log.error("%s", error)
        return 1
    except Exception:  # the last resort of a process without a terminal: its log
        log.exception("the local region could not start")
        return 1
    finally:
        paths.region.unlink(missing_ok=True)
        if region:
            region.close()
        paths.process.unlink(missing_ok=True)
    return 0


def _stop(number: int, _frame: FrameType | None) -> None:
    """End whatever the main thread does, also a deployment; closing is not interrupted again."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    log.info("told to stop by signal %d", number)
    raise SystemExit(0)


def _end_with_owner() -> None:
    """End when the owner does, however it ended: then no one holds the other end of the pipe."""
    while os.read(0, 1):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


def _parse(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m local.daemon")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--aws-port", type=int, default=0)
    parser.add_argument("--no-deploy", action="store_true")
    parser.add_argument("--owned", action="store_true", help="end when standard input does")
    given = parser.parse_args(arguments)
    settings = Settings(given.directory.resolve(), given.stack, given.port, given.aws_port)
    return Options(settings, not given.no_deploy, given.owned)


def _clean(paths: Paths) -> None:
    """Remove what an earlier region left behind: its state was in memory and is gone."""
    for name in ("tasks", "efs"):
        shutil.rmtree(paths.directory / name, ignore_errors=True)
    (paths.directory / "stack.json").unlink(missing_ok=True)  # the engine's record of what it deployed
    paths.region.unlink(missing_ok=True)


def _open(region: Region, paths: Paths, *, deploy: bool) -> None:
    """Deploy the stack and say where the region is."""
    state.write_aws_files(paths, region.aws_url, region.operator.access_key, region.operator.secret_key)
    outputs: dict[str, Any] = {}
    api_key = ""
    if deploy:
        values = demo_tenant.SecretValues(region.clients)
        region.gateway.observers.append(values.observe)
        outputs = _deploy(region, paths)
        region.gateway.observers.remove(values.observe)
        api_key = demo_tenant.create_key(region.clients, region.settings.stack)
    RegionInfo(
        pid=os.getpid(),
        stack=region.settings.stack,
        aws_url=region.aws_url,
        api_url=region.api_url,
        api_key=api_key,
        control_token=region.control_token,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        loopback=region.addresses.number,
        outputs=outputs,
    ).save(paths)


def _deploy(region: Region, paths: Paths) -> dict[str, Any]:
    """Run the Pulumi program by the local engine, in a process of its own; the stack's outputs.

    Raises `OutpostError` with the engine's last words.
    """
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": region.aws_url,
        "AWS_ACCESS_KEY_ID": region.operator.access_key,
        "AWS_SECRET_ACCESS_KEY": region.operator.secret_key,
        "AWS_REGION": "us-east-1",
        "OUTPOST_STATE_DIR": str(paths.directory),
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("AWS_PROFILE", None)
    done = subprocess.run(
        [sys.executable, "-m", "local.engine", "up", "--stack", region.settings.stack],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stderr.write(done.stderr)
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise OutpostError("deploy-failed", f"stack {region.settings.stack} was not deployed:\n{last}")
    outputs = json.loads(done.stdout or "{}")
    return dict(outputs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
