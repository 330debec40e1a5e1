"""Invoke task of the runbooks: `diagnose`."""

import gc
import os
import sys

from invoke import Collection, Context, Exit, task

_CLEAR = "\r\x1b[K"  # to the start of the terminal's line, and empty it
_WIDTH = 79


def _say(line: str) -> None:
    print((_CLEAR if sys.stderr.isatty() else "") + line, file=sys.stderr, flush=True)


def _progress(line: str) -> None:
    """One line of a terminal, each over the one before; nothing where nobody watches."""
    if sys.stderr.isatty():
        print(_CLEAR + line[:_WIDTH], end="", file=sys.stderr, flush=True)


def _print(text: str) -> None:
    """Data to stdout. A reader that has seen enough (`| head`) changes nothing about the exit code."""
    if sys.stderr.isatty():
        print(_CLEAR, end="", file=sys.stderr, flush=True)
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@task(
    help={
        "issue": "only this issue of the guide",
        "alarm": "only the issue that this alarm detects: its name as CloudWatch shows it, or its ARN",
        "dispatch": "only what concerns this dispatch",
        "format": "terminal, json, junit, sarif or html",
        "fix": "show the plan of every remedy; with --yes, apply it and look again",
        "yes": "apply what --fix plans",
        "plan": "with --fix --yes: only the plan with this id",
        "all": "also what was considered and refuted",
        "since": "how far back to look, such as 10m or 2h (default 1h)",
        "stack": "the stack (default: OUTPOST_STACK, or dev)",
        "local": "look at the local region, whatever the environment says",
        "bundle": "also save what was observed, redacted, to this file",
        "replay": "judge what such a file holds instead of looking",
        "publish": "also write the report to the artifacts bucket, for GET /findings",
        "watch": "look again and again, and tell what changes, until interrupted",
    }
)
def diagnose(
    c: Context,
    issue: str = "",
    alarm: str = "",
    dispatch: str = "",
    format: str = "terminal",
    fix: bool = False,
    yes: bool = False,
    plan: str = "",
    all: bool = False,
    since: str = "1h",
    stack: str = "",
    local: bool = False,
    bundle: str = "",
    replay: str = "",
    watch: bool = False,
    publish: bool = False,
) -> None:
    """Find what is wrong, why, and what mends it. Exits with 0 healthy, 3 failing, 4 warning, 5 unknown."""
    # What is loaded now stays. Looking it through at each 700 new objects takes a tenth of a run.
    gc.set_threshold(50_000)
    from outpost.errors import OutpostError
    from runbooks import command

    try:
        code = command.run(
            command.Options(
                issue=issue,
                alarm=alarm,
                dispatch=dispatch,
                format=format,
                fix=fix,
                yes=yes,
                plan=plan,
                everything=all,
                since=since,
                stack=stack,
                local=local,
                bundle=bundle,
                replay=replay,
                watch=watch,
                publish=publish,
            ),
            out=_print,
            say=_say,
            colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR"),
            annotate=os.environ.get("GITHUB_ACTIONS") == "true",
            progress=_progress,
        )
    except OutpostError as error:
        raise Exit(f"diagnose: {error}", code=2) from error
    except KeyboardInterrupt:
        raise Exit("diagnose: interrupted", code=130) from None  # as shells have it: 128 and SIGINT's number
    if code:
        raise Exit(code=code)


@task(
    help={
        "stack": "the stack (default: OUTPOST_STACK, or dev)",
        "account": "the account's number (default: that of your credentials)",
    },
)
def policy(c: Context, account: str = "", stack: str = "") -> None:
    """Print the read-only IAM policy that diagnosing needs."""
    from runbooks.aws import Connection
    from runbooks.looking import Absent, CouldNotLook
    from runbooks.policy import read_only_policy
    from runbooks.target import Target

    target = Target.from_environment(stack=stack)
    try:
        account = account or str(Connection(target).call("sts:GetCallerIdentity", {})["Account"])
    except (Absent, CouldNotLook) as error:
        raise Exit(
            f"policy: whose account it is could not be seen ({error}); give --account", code=2
        ) from error
    _print(read_only_policy(target.names, region=target.region, account=account))


@task(help={"stack": "the stack (default: OUTPOST_STACK, or dev)", "local": "look at the local region"})
def preflight(c: Context, stack: str = "", local: bool = False) -> None:
    """Name the permissions that diagnosing needs and you lack. Exits with 4 if any, 5 if unknown."""
    from outpost.exit_codes import Verdict
    from runbooks.aws import Connection
    from runbooks.looking import Absent, CouldNotLook
    from runbooks.preflight import missing
    from runbooks.target import Target

    connection = Connection(Target.from_environment(stack=stack, local=local))
    _say(f"preflight: stack {connection.target.stack}, {connection.where()}")
    try:
        lacking = missing(connection.call, connection.target.names, region=connection.target.region)
    except (Absent, CouldNotLook) as error:
        _say(f"unknown: your own policies could not be read: {error}")
        raise Exit(code=Verdict.UNKNOWN) from error
    for permission in lacking:
        _print(f"missing: {permission}")
    _say(f"{len(lacking)} permission(s) missing" if lacking else "nothing is missing")
    if lacking:
        raise Exit(code=Verdict.WARNING)


@task(
    help={
        "issue": "the new issue's code, such as queue-backed-up",
        "cause": "the code of its first cause",
        "title": "its title (default: the code in words)",
    }
)
def new(c: Context, issue: str, cause: str, title: str = "") -> None:
    """Scaffold a new issue: runbook, test, place in the catalogue and guide entry."""
    from outpost.errors import OutpostError
    from runbooks import scaffold

    try:
        written = scaffold.new(issue, cause, title)
    except OutpostError as error:
        raise Exit(f"runbooks.new: {error}", code=2) from error
    for path in written:
        print(f"written: {path.relative_to(scaffold.ROOT)}")
    # In a process of its own: this one has imported the catalogue as it was.
    c.run(f"{sys.executable} -c 'from runbooks.guide import write; write()'", hide=True)
    c.run(f"{sys.executable} -m tests.runbooks.faults.table", hide=True)
    print("written: docs/TROUBLESHOOTING.md, docs/fault-matrix.md")


namespace = Collection("runbooks", policy, preflight, new)
