"""What `./inv diagnose` does: data to `out`, talk to `say`, the exit code back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from outpost.errors import OutpostError
from runbooks.report import document, terminal
from runbooks.run import Report
from runbooks.target import Target

Print = Callable[[str], None]
FORMATS = ("terminal", "json")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The flags, as they were given."""

    issue: str = ""
    alarm: str = ""
    dispatch: str = ""
    format: str = "terminal"
    fix: bool = False
    yes: bool = False
    plan: str = ""
    everything: bool = False
    since: str = "1h"
    stack: str = ""
    local: bool = False

    def __post_init__(self) -> None:
        """Raise `OutpostError` (`invalid-option`) for flags that make no sense."""
        if self.format not in FORMATS:
            raise OutpostError(
                "invalid-option",
                f"There is no format {self.format!r}.",
                remedy=f"One of {', '.join(FORMATS)}.",
            )
        if (self.yes or self.plan) and not self.fix:
            raise OutpostError(
                "invalid-option", "--yes and --plan go with --fix.", remedy="Add --fix, or leave them out."
            )


def run(options: Options, *, out: Print, say: Print, colour: bool = False) -> int:
    """Diagnose, show, and mend if asked to. Returns the exit code; raises `OutpostError` for wrong flags."""
    from runbooks.aws import AwsReader, Connection
    from runbooks.run import diagnose

    target = Target.from_environment(stack=options.stack, since=options.since, local=options.local)
    connection = Connection(target)

    def announce(who: str) -> None:
        say(f"diagnose: stack {target.stack} in {target.region}, {connection.where()}, {who}")

    def look(announced: Print) -> Report:
        return diagnose(
            target,
            AwsReader(connection),
            issue=options.issue,
            alarm=options.alarm,
            dispatch=options.dispatch,
            announce=announced,
        )

    report = look(announce)
    if options.fix and options.yes:
        from runbooks.mending import mend

        _, report = mend(
            connection, report, approved=options.plan, progress=say, again=lambda: look(lambda line: None)
        )
    show(report, options, out=out, colour=colour)
    verdict = terminal.last_line(report)
    if options.format == "terminal":
        out(verdict)
    else:
        say(verdict)
    return report.exit_code


def show(report: Report, options: Options, *, out: Print, colour: bool) -> None:
    """Print the report in the format that was asked for."""
    if options.format == "json":
        out(document.render(report, everything=options.everything))
        return
    text = terminal.render(
        report, terminal.Style(colour), everything=options.everything, plans=options.fix and not options.yes
    )
    if text:
        out(text + "\n")
