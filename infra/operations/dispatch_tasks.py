"""Tasks for whoever has an API key: dispatch, follow, cancel, download. They need no AWS credentials."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invoke import Context, Exit, task

from outpost.exit_codes import Verdict

if TYPE_CHECKING:
    from outpost.api import Api

ID = {"id": "the dispatch"}
CHANGE = {"yes": "do not ask", "dry_run": "print the calls only"}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _api(operation: str) -> Iterator["Api"]:
    """The API of OUTPOST_API_URL; an error that a user can act on is one line and exit code 1."""
    from outpost.api import Api
    from outpost.errors import OutpostError

    try:
        with Api.from_environment() as api:
            _say(f"{operation}: {api.url}")
            yield api
    except OutpostError as error:
        raise Exit(f"{operation}: {error}", code=1) from error


def _approved(call: str, *, yes: bool, dry_run: bool) -> bool:
    from infra.asking import agreed
    from outpost.errors import OutpostError

    _say(f"  {'would' if dry_run else 'will'} call: {call}")
    if dry_run:
        return False
    if not agreed("Go on?", yes=yes):
        raise OutpostError("declined", "Nothing was changed.")
    return True


def _judge(found: Mapping[str, object]) -> None:
    """Print the dispatch; exit code 3 for one that did not complete."""
    print(json.dumps(found, indent=2))
    if found["status"] != "COMPLETED":
        raise Exit(code=Verdict.FAILING)


@task(
    help={
        **CHANGE,
        "agent": "claude, codex, gemini, aider or grok",
        "task": "what to do; - reads it from standard input",
        "repository": "owner/name, an https URL, or in the local region a path (default: an empty directory)",
        "branch": "branch to start from (default: the repository's)",
        "model": "model (default: the agent's)",
        "timeout": "seconds that the agent may take",
        "wait": "until it has ended; exits with 3 unless it is COMPLETED",
    }
)
def dispatch(
    c: Context,
    agent: str,
    task: str,
    repository: str = "",
    branch: str = "",
    model: str = "",
    timeout: int = 600,
    wait: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Dispatch an agent through the API, and print the dispatch."""
    given = {"repository": repository, "branch": branch, "model": model}
    text = sys.stdin.read() if task == "-" else task
    body = {"agent": agent, "task": text, "timeoutSeconds": timeout}
    body |= {name: value for name, value in given.items() if value}
    with _api("dispatch") as api:
        if not _approved(f"POST /dispatch {agent} {repository}".strip(), yes=yes, dry_run=dry_run):
            return
        made = api.dispatch(body)
        if not wait:
            print(json.dumps(made, indent=2))
            return
        identity = str(made["dispatchId"])
        # Its own limit, and as long again for a start when many are waiting.
        seconds = 2 * timeout + 600
        found = api.wait(identity, seconds=seconds, changed=lambda status: _say(f"{identity}: {status}"))
    _judge(found)


@task(help={**ID, **CHANGE, "wait": "until its container is proven gone"})
def cancel(c: Context, id: str, wait: bool = False, yes: bool = False, dry_run: bool = False) -> None:
    """Cancel a dispatch. It is CANCELLED once its container is gone, CANCELLING until then."""
    with _api("cancel") as api:
        if not _approved(f"DELETE /dispatch/{id}", yes=yes, dry_run=dry_run):
            return
        found = api.cancel(id)
        if wait:
            found = api.wait(id, seconds=300, changed=lambda status: _say(f"{id}: {status}"))
    print(json.dumps(found, indent=2))


@task(help=ID)
def watch(c: Context, id: str) -> None:
    """Print a dispatch's log as it comes, until it has ended. Exits with 3 unless it is COMPLETED."""
    with _api("watch") as api:
        status = api.follow(
            id, lambda line: print(f"{line['time']} {line['stream']:6} {line['message']}", flush=True)
        )
    _say(f"{id}: {status}")
    if status != "COMPLETED":
        raise Exit(code=Verdict.FAILING)


@task(help={**ID, "to": "directory (default: the dispatch's id)"})
def artifacts(c: Context, id: str, to: str = "") -> None:
    """Download what a dispatch left, each file checked against the manifest."""
    from pathlib import Path

    with _api("artifacts") as api:
        for path in api.download(id, Path(to or id)):
            print(path)


TASKS = (dispatch, cancel, watch, artifacts)
