"""Tasks for a running stack. Thin: parse, call one function, print, exit code."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invoke import Collection, Context, Exit, task

from outpost.exit_codes import Verdict

if TYPE_CHECKING:
    from infra.operations.running import Running

STACK = {
    "stack": "the stack (default: OUTPOST_STACK, or dev)",
    "local": "the local region, whatever the environment says",
}
CHANGE = {**STACK, "yes": "do not ask", "dry_run": "print the calls only"}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def running_stack(operation: str, stack: str, local: bool) -> Iterator["Running"]:
    """The stack; a failed roll-out is exit code 3, any other error that a user can act on is 1."""
    from infra.operations.health import UnhealthyError
    from infra.operations.rollout import RolloutError
    from infra.operations.running import Running
    from outpost.errors import OutpostError

    try:
        yield Running.open(operation, _say, stack=stack, local=local)
    except (RolloutError, UnhealthyError) as error:
        raise Exit(f"{operation}: FAILED. {error}", code=Verdict.FAILING) from error
    except OutpostError as error:
        raise Exit(f"{operation}: {error}", code=1) from error


@task(help=CHANGE)
def redeploy(
    c: Context, stack: str = "", local: bool = False, yes: bool = False, dry_run: bool = False
) -> None:
    """Start the control plane's tasks anew. Exits with 3, and says why tasks stopped, when that fails."""
    with running_stack("redeploy", stack, local) as running:
        from infra.operations.redeploy import redeploy as operation

        operation(running, yes=yes, dry_run=dry_run)


@task(help=CHANGE)
def rollback(
    c: Context, stack: str = "", local: bool = False, yes: bool = False, dry_run: bool = False
) -> None:
    """Go back to the task definition before the one that runs. Exits with 3 when that fails too."""
    with running_stack("rollback", stack, local) as running:
        from infra.operations.redeploy import rollback as operation

        operation(running, yes=yes, dry_run=dry_run)


@task(help={**STACK, "format": "text or json"})
def status(c: Context, stack: str = "", local: bool = False, format: str = "text") -> None:
    """Print what runs, the last deployments and events, and how the API answers."""
    with running_stack("status", stack, local) as running:
        from infra.operations import overview

        found = overview.status(running)
        print(json.dumps(found, indent=2) if format == "json" else overview.as_text(found))


@task(
    help={
        **STACK,
        "agent": "an agent's log, such as claude (default: the control plane's)",
        "since": "how far back, such as 10m or 2h",
        "pattern": "a CloudWatch filter pattern",
        "follow": "go on until interrupted",
    }
)
def logs(
    c: Context,
    stack: str = "",
    local: bool = False,
    agent: str = "",
    since: str = "10m",
    pattern: str = "",
    follow: bool = False,
) -> None:
    """Print a log: time, task, line."""
    with running_stack("logs", stack, local) as running:
        from infra.operations.overview import log_lines
        from runbooks.target import parse_duration

        for line in log_lines(running, agent, since=parse_duration(since), pattern=pattern, follow=follow):
            print(line, flush=True)


@task(help={**CHANGE, "replicas": "tasks of the control plane"})
def scale(
    c: Context,
    replicas: int,
    stack: str = "",
    local: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Set the control plane's number of tasks, until the next deployment."""
    with running_stack("scale", stack, local) as running:
        from infra.operations import capacity

        capacity.scale(running, replicas, yes=yes, dry_run=dry_run)


@task(help={**CHANGE, "agent": "an agent, such as claude", "size": "idle workers to keep; 0 for none"})
def prewarm(
    c: Context,
    agent: str,
    size: int,
    stack: str = "",
    local: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Set how many idle workers are kept of an agent, until the next deployment. Prints the pool."""
    with running_stack("prewarm", stack, local) as running:
        from infra.operations.prewarm import prewarm as operation

        print(operation(running, agent, size, yes=yes, dry_run=dry_run))


@task(help={**CHANGE, "request": "vCPUs to ask AWS for"})
def quota(
    c: Context,
    request: int = 0,
    stack: str = "",
    local: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Print the account's Fargate vCPU quota, or request a higher one."""
    with running_stack("quota", stack, local) as running:
        from infra.operations import capacity

        if request:
            print(capacity.request_quota(running, request, yes=yes, dry_run=dry_run) or "")
        else:
            print(json.dumps(capacity.quota(running)))


@task(
    help={
        **CHANGE,
        "agent": "agent to dispatch",
        "repository": "repository that it may read",
        "timeout": "seconds that it may take",
    }
)
def smoke(
    c: Context,
    repository: str,
    agent: str = "aider",
    timeout: int = 600,
    stack: str = "",
    local: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Dispatch one small task through the API and wait for its end. Exits with 1 unless it completes."""
    with running_stack("smoke", stack, local) as running:
        from infra.operations.smoke import smoke as operation

        done = operation(running, agent, repository, timeout=timeout, yes=yes, dry_run=dry_run)
        if done:
            print(f"{done.dispatch_id} {done.status} in {done.seconds:.0f} s")


@task(help=STACK, name="list")
def list_secrets(c: Context, stack: str = "", local: bool = False) -> None:
    """Print which secrets have a value. Exits with 4 when one has none."""
    with running_stack("secrets.list", stack, local) as running:
        from infra.operations.secret_values import secret_values

        found = secret_values(running)
    for name, state in found.items():
        print(f"{name:10} {state}")
    if set(found.values()) != {"set"}:
        raise Exit(code=Verdict.WARNING)


@task(help={**CHANGE, "name": "claude, codex, gemini, aider, grok or github"}, name="set")
def set_secret(
    c: Context, name: str, stack: str = "", local: bool = False, yes: bool = False, dry_run: bool = False
) -> None:
    """Give a secret a value, read from standard input or asked for without echo."""
    with running_stack("secrets.set", stack, local) as running:
        import getpass

        from infra.operations.secret_values import set_secret as operation

        value = getpass.getpass(f"value of {name}: ") if sys.stdin.isatty() else sys.stdin.read()
        operation(running, name, value, yes=yes, dry_run=dry_run)


secrets = Collection("secrets", list_secrets, set_secret)
TASKS = (redeploy, rollback, status, logs, scale, prewarm, quota, smoke)
