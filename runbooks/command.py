"""What `./inv diagnose` does: data to `out`, talk to `say`, the exit code back."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from outpost.errors import OutpostError
from runbooks.report import terminal
from runbooks.run import Progress, Report, diagnose
from runbooks.target import Target
from runbooks.waivers import PATH as WAIVERS
from runbooks.waivers import load as load_waivers

if TYPE_CHECKING:
    from runbooks.aws import Connection

Print = Callable[[str], None]
FORMATS = ("terminal", "json", "junit", "sarif", "html")
WATCH = 10  # seconds between two looks


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
    bundle: str = ""
    replay: str = ""
    watch: bool = False
    publish: bool = False

    def __post_init__(self) -> None:
        """Raise `OutpostError` (`invalid-option`) for flags that make no sense."""
        if self.format not in FORMATS:
            raise _invalid(f"There is no format {self.format!r}.", f"One of {', '.join(FORMATS)}.")
        if (self.yes or self.plan) and not self.fix:
            raise _invalid("--yes and --plan go with --fix.", "Add --fix, or leave them out.")
        if self.replay and ((self.fix and self.yes) or self.watch or self.local or self.publish):
            raise _invalid("A bundle cannot be mended, watched or published.", "Use --replay without them.")
        if self.watch and self.fix:
            raise _invalid("--watch looks on and on, and changes nothing.", "Use --fix without it.")


def _invalid(message: str, remedy: str) -> OutpostError:
    return OutpostError("invalid-option", message, remedy=remedy)


def run(
    options: Options,
    *,
    out: Print,
    say: Print,
    colour: bool = False,
    annotate: bool = False,
    progress: Progress = lambda line: None,
) -> int:
    """Diagnose, show, and mend if asked to. Returns the exit code; raises `OutpostError` for wrong flags.

    `progress` is told each judgement of the first look as it is made, with how many there are by then.
    """
    if options.replay:
        return _replay(options, out=out, say=say, colour=colour)
    from runbooks.aws import AwsReader, Connection

    target = Target.from_environment(stack=options.stack, since=options.since, local=options.local)
    connection = Connection(target)
    waivers = load_waivers(WAIVERS)

    def announce(who: str) -> None:
        say(f"diagnose: stack {target.stack} in {target.region}, {connection.where()}, {who}")

    def look(announced: Progress = lambda line: None, judged: Progress = lambda line: None) -> Report:
        return diagnose(
            target.at_present(),
            AwsReader(connection),
            issue=options.issue,
            alarm=options.alarm,
            dispatch=options.dispatch,
            waivers=waivers,
            announce=announced,
            progress=judged,
        )

    report = look(announce, counted(progress))
    if options.watch:
        report = _watch(report, look, say)
    if options.fix and options.yes:
        from runbooks.mending import mend

        _, report = mend(connection, report, approved=options.plan, progress=say, again=look)
    if options.bundle and report.look is not None:
        from runbooks.bundle import save
        from runbooks.report.html import read_around

        read_around(report)  # so that a page can be made of the bundle, too
        save(report.look, report.target, Path(options.bundle))
        say(f"saved what was observed to {options.bundle}")
    if options.publish:
        _publish(report, connection, say)
    _tell(report, options, out=out, say=say, colour=colour)
    if annotate:
        from runbooks.report.annotations import render

        for line in render(report):
            say(line)
    return report.exit_code


def counted(progress: Progress) -> Progress:
    """Progress with the number of judgements so far. Told from many threads."""
    numbers = itertools.count(1)
    return lambda line: progress(f"{next(numbers)} checked: {line}")


def _publish(report: Report, connection: Connection, say: Print) -> None:
    """A report that could not be published is still printed, and its exit code is the verdict's."""
    from runbooks.looking import Absent, CouldNotLook
    from runbooks.publishing import publish

    try:
        say(f"published to {publish(report, connection, report.target.names)}")
    except (Absent, CouldNotLook) as error:
        say(f"not published: {error}")


def _replay(options: Options, *, out: Print, say: Print, colour: bool) -> int:
    """Judge what a bundle holds; nothing is looked at."""
    from runbooks.bundle import load

    target, reader = load(Path(options.replay))
    saved = target.now.isoformat(timespec="seconds")
    say(f"diagnose: stack {target.stack} in {target.region} as saved at {saved}")
    report = diagnose(
        target,
        reader,
        issue=options.issue,
        alarm=options.alarm,
        dispatch=options.dispatch,
        waivers=load_waivers(WAIVERS),
    )
    _tell(report, options, out=out, say=say, colour=colour)
    return report.exit_code


def _watch(report: Report, look: Callable[[], Report], say: Print) -> Report:
    """Look again until interrupted; tell whenever the verdict or the causes change. The last report."""
    told: object = None
    try:
        with _terminated_as_interrupted():
            while True:
                state = (report.verdict, report.lit)
                if state != told:
                    say(f"{report.target.now:%H:%M:%S} {terminal.last_line(report)}")
                    told = state
                time.sleep(WATCH)
                report = look()
    except KeyboardInterrupt:
        return report


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end a watch as Ctrl-C does: whoever stops a pipeline or a service wants the report too."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(report: Report, options: Options, *, out: Print, say: Print, colour: bool) -> None:
    """Notes, the report in its format, and the verdict last."""
    for note in report.notes:
        say(f"waiver: {note}")
    text = show(report, options, colour=colour)
    if text:
        out(text)
    verdict = terminal.last_line(report)
    if options.format == "terminal":
        out(verdict)
    else:
        say(verdict)


def show(report: Report, options: Options, *, colour: bool = False) -> str:
    """The report in the format that was asked for."""
    match options.format:
        case "json":
            from runbooks.report import document

            return document.render(report, everything=options.everything)
        case "junit":
            from runbooks.report import junit

            return junit.render(report)
        case "sarif":
            from runbooks.report import sarif

            return sarif.render(report)
        case "html":
            from runbooks.report import html

            return html.render(report)
    plans = options.fix and not options.yes
    text = terminal.render(report, terminal.Style(colour), everything=options.everything, plans=plans)
    return text + "\n" if text else ""
