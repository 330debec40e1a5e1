"""`./inv local.deploy` and `./inv local.destroy`: the engine, on the local region that runs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Context, Exit, task

if TYPE_CHECKING:
    from local.state import Paths, RegionInfo

ROOT = Path(__file__).resolve().parents[1]


@task(
    iterable=["setting"],
    help={"setting": "KEY=VALUE, laid over the stack's own for this deployment; may be repeated"},
)
def deploy(c: Context, setting: list[str] | None = None) -> None:
    """Deploy the program as it is now: changes in place, replaces, deletes, as `pulumi up` would."""
    _engine("up", *(part for each in setting or [] for part in ("--setting", each)))


@task
def destroy(c: Context) -> None:
    """Delete every resource of the stack, last created first; the region itself stays up."""
    _engine("destroy")


def _engine(action: str, *arguments: str) -> None:
    paths, info = _running()
    environment = engine_environment(paths, info)
    command = [sys.executable, "-m", "local.engine", action, "--stack", info.stack, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise Exit(code=done.returncode)


def engine_environment(paths: "Paths", info: "RegionInfo") -> dict[str, str]:
    """This process's environment, pointed at the region, for the engine's process."""
    from local.state import environment

    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return {
        **kept,
        **environment(paths, info),
        "AWS_ENDPOINT_URL": info.aws_url,
        "OUTPOST_STATE_DIR": str(paths.directory),
        "PYTHONPATH": str(ROOT),
    }


def _running() -> "tuple[Paths, RegionInfo]":
    from local import up
    from local.state import Paths

    paths = Paths.from_environment(ROOT)
    info = up.running(paths)
    if info is None:
        raise Exit("No local region is up. Start one with ./inv local.up.", code=1)
    return paths, info
