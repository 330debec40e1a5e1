"""One run: look, judge every cause at once, rank."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from outpost.exit_codes import Verdict as ExitCode
from runbooks.catalogue import causes
from runbooks.looking import Absent, CouldNotLook, Look, Reader
from runbooks.model import Cause, Judgement, Verdict, unknown
from runbooks.narrowing import require_dispatch, selected
from runbooks.observations import Region
from runbooks.ranking import Finding, Judged, rank
from runbooks.remedies import Plan
from runbooks.subject import Subject, subject
from runbooks.target import Target
from runbooks.waivers import Waiver
from runbooks.waivers import apply as waive

DEADLINE = 25.0  # seconds for all checks together; what is not judged by then is UNKNOWN
SCHEMA_VERSION = 1
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
    subject: Subject | None = None  # the dispatch that the run is about

    @property
    def verdict(self) -> str:
        """`failing`, `unknown`, `warning` or `healthy`: the worst of the findings."""
        found = {finding.verdict for finding in self.findings}
        if Verdict.FAIL in found:
            return "failing"
        if Verdict.UNKNOWN in found or self.trouble or self.unexplained:
            return "unknown"
        return "warning" if Verdict.WARN in found else "healthy"

    @property
    def unexplained(self) -> str:
        """What became of the dispatch that the run is about, when no finding accounts for it."""
        return self.subject.unexplained if self.subject else ""

    @property
    def exit_code(self) -> int:
        """0 healthy, 3 failing, 4 warnings only, 5 could not tell."""
        codes = {"failing": ExitCode.FAILING, "unknown": ExitCode.UNKNOWN, "warning": ExitCode.WARNING}
        return int(codes.get(self.verdict, ExitCode.HEALTHY))

    @property
    def lit(self) -> set[str]:
        """Keys of all causes that hold, folded ones included."""
        return {item.cause.key for item in self.judged if item.judgement.lit}

    def beside(self, finding: Finding) -> tuple[Judged, ...]:
        """What else is wrong in the task definitions that a finding's plan copies, and copies with them."""
        bases = finding.plan.bases if finding.plan else frozenset()
        names = {base.rpartition("/")[2] for base in bases}
        mended = {finding.cause.key, *(cause.key for cause in finding.effects)}
        return tuple(
            item
            for item in self.judged
            if item.judgement.lit
            and item.cause.key not in mended
            and (
                any(e.resource in names and "TaskDefinition" in e.source for e in item.judgement.evidence)
                or (item.plan and item.plan.bases & bases)
            )
        )


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

    Raises `OutpostError` for an issue, alarm or dispatch that does not exist; whatever could not be looked
    at is in the report.
    """
    chosen = selected(target.stack, issue=issue, alarm=alarm, dispatch=dispatch)
    dispatch = dispatch.strip().upper()
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
    job = require_dispatch(region, dispatch) if dispatch and not trouble else None
    everything = judge(region, chosen, progress)
    if issue or alarm:
        everything += roots_of(region, everything, progress)
    judged, notes = waive(everything, waivers, stack=target.stack, today=target.now.date())
    return Report(
        target=target,
        findings=rank(judged),
        judged=judged,
        calls=dict(sorted(look.calls.items())),
        elapsed=time.perf_counter() - begun,
        trouble=trouble,
        look=look,
        notes=tuple(notes),
        subject=subject(region, job, everything) if job and not (issue or alarm) else None,
    )


def roots_of(region: Region, judged: Sequence[Judged], progress: Progress) -> tuple[Judged, ...]:
    """Causes of other issues that hold and explain what a narrowed run has found."""
    found = {item.cause.key for item in judged if item.judgement.lit}
    seen = {item.cause.key for item in judged}
    above = [cause for cause in causes() if found & set(cause.explains) and cause.key not in seen]
    return tuple(item for item in judge(region, above, progress) if item.judgement.lit) if above else ()


def judge(
    region: Region, chosen: Sequence[Cause], progress: Progress = lambda line: None
) -> tuple[Judged, ...]:
    """Judge all causes at once, each in a thread; reads that several want are made once."""
    results: dict[str, Judged] = {}

    def work(cause: Cause) -> None:
        judgement = check(region, cause)
        plan, why = _plan(region, cause, judgement)
        results[cause.key] = Judged(cause, judgement, plan, why)
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


def _plan(region: Region, cause: Cause, judgement: Judgement) -> tuple[Plan | None, str]:
    """The plan that mends it; or None, and what kept it from being made where something did."""
    if not judgement.lit or judgement.manual or cause.remedy is None:
        return None, ""
    try:
        plan = cause.remedy(region)
    except (Absent, CouldNotLook) as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 - as in `check`: the finding stands without its plan
        return None, f"planning itself failed: {type(error).__name__}: {error}"
    return (plan, "") if plan and plan.actions else (None, "")
