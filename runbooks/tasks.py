"""Invoke task of the runbooks: `diagnose`."""

import os
import sys

from invoke import Collection, Context, Exit, task


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print(text: str) -> None:
    """Data to stdout. A reader that has seen enough (`| head`) changes nothing about the exit code."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@task(
    help={
        "issue": "only this issue of the guide",
        "alarm": "only the issue that this alarm detects",
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
) -> None:
    """Find what is wrong, why, and what mends it. Exits with 0 healthy, 3 failing, 4 warning, 5 unknown."""
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
            ),
            out=_print,
            say=_say,
            colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR"),
            annotate=os.environ.get("GITHUB_ACTIONS") == "true",
        )
    except OutpostError as error:
        raise Exit(f"diagnose: {error}", code=2) from error
    if code:
        raise Exit(code=code)


namespace = Collection(diagnose)
