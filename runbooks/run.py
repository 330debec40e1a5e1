"""One run: look, judge every cause at once, rank."""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from outpost.errors import OutpostError
from outpost.exit_codes import Verdict as ExitCode
from runbooks.alarms import issue_of_alarm
from runbooks.catalogue import RUNBOOKS, causes
from runbooks.looking import Absent, CouldNotLook, Look, Reader
from runbooks.model import Cause, Judgement, Verdict, unknown
from runbooks.observations import Region
from runbooks.ranking import Finding, Judged, rank
from runbooks.remedies import Plan
from runbooks.target import Target
from runbooks.waivers import Waiver
from runbooks.waivers import apply as waive

DEADLINE = 25.0  # seconds for all checks together; what is not judged by then is UNKNOWN
SCHEMA_VERSION = 1
OF_A_DISPATCH = (  # issues that a single dispatch can have
    "dispatch-stuck-pending",
    "agent-fails-immediately",
    "agent-timeout",
    "agent-no-changes",
    "s3-access-denied",
    "efs-mount-failure",
    "high-cold-start",
    "memory-pressure",
)

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one run found. `judged` has every cause that was considered, also those refuted."""

    target: Target
    findings: tuple[Finding, ...]
    judged: tuple[Judged, ...]
    calls: dict[str, int]
    elapsed: float  # seconds
    trouble: str = ""  # why nothing could be looked at, when nothing could
    look: Look | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()  # about waivers

    @property
    def verdict(self) -> str:
        """`failing`, `unknown`, `warning` or `healthy`: the worst of the findings."""
        found = {finding.verdict for finding in self.findings}
        if Verdict.FAIL in found:
            return "failing"
        if Verdict.UNKNOWN in found or self.trouble:
            return "unknown"
        return "warning" if Verdict.WARN in found else "healthy"

    @property
    def exit_code(self) -> int:
        """0 healthy, 3 failing, 4 warnings only, 5 could not tell."""
        codes = {"failing": ExitCode.FAILING, "unknown": ExitCode.UNKNOWN, "warning": ExitCode.WARNING}
        return int(codes.get(self.verdict, ExitCode.HEALTHY))

    @property
    def lit(self) -> set[str]:
        """Keys of all causes that hold, folded ones included."""
        return {item.cause.key for item in self.judged if item.judgement.lit}


def selected(issue: str = "", alarm: str = "") -> tuple[Cause, ...]:
    """The causes that a run is narrowed to. Raises `OutpostError` (`no-such-issue`)."""
    wanted = issue or (issue_of_alarm(alarm) if alarm else "")
    known = [runbook.issue for runbook in RUNBOOKS]
    if wanted and wanted not in known:
        near = difflib.get_close_matches(wanted, known, n=1)
        raise OutpostError(
            "no-such-issue",
            f"{wanted!r} is not an issue of the guide.",
            remedy=f"Did you mean {near[0]}?" if near else f"One of: {', '.join(known)}.",
        )
    return causes(wanted)


def diagnose(
    target: Target,
    reader: Reader,
    *,
    issue: str = "",
    alarm: str = "",
    dispatch: str = "",
    waivers: Sequence[Waiver] = (),
    progress: Progress = lambda line: None,
    announce: Progress = lambda line: None,
) -> Report:
    """Judge the stack. `announce` is told first what is looked at; `progress` then each judgement.

    Raises `OutpostError` for an issue that does not exist; whatever could not be looked at is in the report.
    """
    chosen = selected(issue, alarm)
    if dispatch and not (issue or alarm):
        chosen = tuple(cause for cause in chosen if cause.issue in OF_A_DISPATCH)
    begun = time.perf_counter()
    look = Look(reader)
    trouble = ""
    try:
        identity = look("sts:GetCallerIdentity")
        announce(f"account {identity['Account']} as {identity['Arn']}")
    except (Absent, CouldNotLook) as error:
        announce("account unknown")
        if isinstance(error, CouldNotLook) and error.reason != "throttled":
            look.down = error
            trouble = str(error)
    region = Region(look, target, dispatch)
    if dispatch and not trouble:
        _require(region, dispatch)
    judged, notes = waive(
        judge(region, chosen, progress), waivers, stack=target.stack, today=target.now.date()
    )
    return Report(
        target=target,
        findings=rank(judged),
        judged=judged,
        calls=dict(sorted(look.calls.items())),
        elapsed=time.perf_counter() - begun,
        trouble=trouble,
        look=look,
        notes=tuple(notes),
    )


def _require(region: Region, dispatch: str) -> None:
    """Raises `OutpostError` (`no-such-dispatch`) when the jobs table has no such dispatch."""
    try:
        found = region.dispatches.recent()
    except (Absent, CouldNotLook):
        return  # the checks say what could not be looked at
    if not found:
        raise OutpostError(
            "no-such-dispatch",
            f"There is no dispatch {dispatch} in stack {region.target.stack}.",
            remedy="Check the id and the stack; jobs are deleted when their time to live is over.",
        )


def judge(
    region: Region, chosen: Sequence[Cause], progress: Progress = lambda line: None
) -> tuple[Judged, ...]:
    """Judge all causes at once, each in a thread; reads that several want are made once."""
    results: dict[str, Judged] = {}

    def work(cause: Cause) -> None:
        judgement = check(region, cause)
        results[cause.key] = Judged(cause, judgement, _plan(region, cause, judgement))
        progress(f"{judgement.verdict.value:<7} {cause.key}")

    # Daemons: a read that hangs must not keep the process from ending.
    threads = [threading.Thread(target=work, args=(cause,), daemon=True) for cause in chosen]
    for thread in threads:
        thread.start()
    until = time.monotonic() + DEADLINE
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    late = unknown(f"not judged within {DEADLINE:g} s")
    return tuple(results.get(cause.key, Judged(cause, late)) for cause in chosen)


def check(region: Region, cause: Cause) -> Judgement:
    """The judgement of one cause; whatever kept the check from looking makes it UNKNOWN."""
    try:
        return cause.check(region)
    except CouldNotLook as error:
        return unknown(str(error))
    except Absent as error:
        return unknown(f"{error.detail or error.operation} does not exist ({error.operation}: {error.code})")
    except Exception as error:  # noqa: BLE001 - a defect in one check must not hide what the others found
        return unknown(f"the check itself failed: {type(error).__name__}: {error}")


def _plan(region: Region, cause: Cause, judgement: Judgement) -> Plan | None:
    if not judgement.lit or cause.remedy is None:
        return None
    try:
        plan = cause.remedy(region)
    except (Absent, CouldNotLook):
        return None  # what is needed to plan could not be seen: a person has to look
    except Exception:  # noqa: BLE001 - as in `check`: the finding stands without its plan
        return None
    return plan if plan and plan.actions else None
