"""`./inv local.*`: the local region from the command line."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Collection, Context, Exit, task

from local.engine_tasks import deploy, destroy

if TYPE_CHECKING:
    from local.state import Paths, RegionInfo

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_PORT, DEFAULT_AWS_PORT = 8080, 4566


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@task(
    help={
        "port": "port of the load balancer, 0 for a free one",
        "aws-port": "port of the embedded AWS, 0 for a free one",
        "stack": "which Pulumi stack to deploy",
    }
)
def up(c: Context, port: int = DEFAULT_PORT, aws_port: int = DEFAULT_AWS_PORT, stack: str = "dev") -> None:
    """Deploy the stack into a local region and return when its load balancer answers healthy."""
    import time

    from local import up as region
    from local.state import Paths
    from outpost.errors import OutpostError

    paths = Paths.from_environment(ROOT)
    info = region.running(paths)
    if info:
        _say(f"The local region is already up (stack {info.stack}, process {info.pid}).")
    else:
        _say(f"Starting the local region: stack {stack} ...")
        started = time.monotonic()
        try:
            info = region.start(paths, stack=stack, port=port, aws_port=aws_port)
        except OutpostError as error:
            raise Exit(str(error), code=1) from error
        _say(f"Up in {time.monotonic() - started:.1f} s.")
    print(f"API          {info.api_url}\nAWS          {info.aws_url}\nlog          {paths.log}")
    _say('Next: eval "$(./inv local.env)"')


@task
def env(c: Context) -> None:
    """Print export lines that point the AWS CLI, curl and every task at the local region."""
    import shlex

    from local.state import environment

    paths, info = _running()
    for name, value in environment(paths, info).items():
        print(f"export {name}={shlex.quote(value)}")


@task
def down(c: Context) -> None:
    """Stop the local region and every process it started."""
    from local import up as region
    from local.state import Paths

    stopped = region.stop(Paths.from_environment(ROOT))
    _say("The local region is down." if stopped else "No local region was running.")


@task
def status(c: Context) -> None:
    """Tell whether the local region runs, where, and what runs in it."""
    from local import up as region

    paths, info = _running()
    print(f"up           since {info.started_at}, stack {info.stack}, process {info.pid}")
    print(f"API          {info.api_url} ({region.health(info)})")
    print(f"AWS          {info.aws_url}\nlog          {paths.log}")
    for each in region.control(info, "tasks"):
        pids = " ".join(map(str, each["pids"]))
        print(f"{each['status']:<12} {each['family']} {each['task'].rsplit('/', 1)[-1]} pid {pids}")


@task(help={"action": "what to do; none lists them", "arguments": "its arguments, as JSON"})
def fault(c: Context, action: str = "", arguments: str = "{}") -> None:
    """Do to the local region what AWS would bring about by itself.

    For example: ./inv local.fault --action oom --arguments '{"task": "outpost-control-plane"}'
    """
    from local import up as region
    from local.control import Control
    from outpost.errors import OutpostError

    if not action:
        for name, text in Control.describe():
            print(f"{name:<16} {text}")
        return
    _, info = _running()
    try:
        print(json.dumps(region.control(info, action, **json.loads(arguments))))
    except (OutpostError, ValueError) as error:
        raise Exit(str(error), code=2) from error


def _running() -> "tuple[Paths, RegionInfo]":
    """The region that runs; otherwise exit 1 and say why there is none."""
    from local import up as region
    from local.state import Paths

    paths = Paths.from_environment(ROOT)
    info = region.running(paths)
    if info:
        return paths, info
    if region.crashed(paths):
        raise Exit(
            f"The local region crashed. The end of {paths.log}:\n{region.log_tail(paths)}\n"
            "Start it again with ./inv local.up.",
            code=1,
        )
    raise Exit("No local region is up. Start one with ./inv local.up.", code=1)


namespace = Collection(up, env, down, status, fault, deploy, destroy)
