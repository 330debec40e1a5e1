"""Mending: apply the plans of a report, look again, and take back what made it worse."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from outpost.errors import OutpostError
from runbooks.looking import Absent, Answer, CouldNotLook, Look, Reader
from runbooks.model import Cause, Verdict
from runbooks.observations import Region
from runbooks.ranking import Finding
from runbooks.remedies import Plan, StateChanged, apply, undo
from runbooks.run import Progress, Report, check, diagnose
from runbooks.target import Target

POLL = 1.0  # seconds between looks while a change settles

Again = Callable[[], Report]


class Stack(Protocol):
    """What is mended: it can be looked at anew, and called. `Connection` is one."""

    @property
    def target(self) -> Target: ...

    def reader(self) -> Reader: ...

    def call(self, operation: str, parameters: Answer) -> Answer: ...


@dataclass(frozen=True)
class Mended:
    """What was done about one finding: `mended`, `not mended`, `undone`, `refused` or `failed`."""

    cause: Cause
    plan: Plan
    outcome: str
    detail: str = ""


def mend(
    connection: Stack,
    report: Report,
    *,
    approved: str = "",
    progress: Progress,
    again: Again | None = None,
) -> tuple[list[Mended], Report]:
    """Apply every plan of the report, root causes first, then look again at everything.

    `approved` is the id of the one plan that may be applied; empty for all. A plan is applied only when a
    fresh look at its cause gives the same plan. Returns what was done and the last report.
    """
    target = connection.target
    look_again = again or (lambda: diagnose(target, connection.reader()))
    done: list[Mended] = []
    for finding in report.findings:
        if finding.plan is None or (approved and finding.plan.id != approved):
            continue
        progress(f"mending {finding.cause.key}")
        done.append(_mend_one(connection, target, finding))
        progress(f"{done[-1].outcome}: {finding.cause.key} {done[-1].detail}".rstrip())
    after = look_again()
    worse = _worse(report, after)
    if worse and any(item.outcome in ("mended", "not mended") for item in done):
        progress(f"worse than before ({', '.join(sorted(worse))}): taking the changes back")
        done = [_take_back(connection, item) for item in reversed(done)][::-1]
        after = look_again()
    return done, after


def _mend_one(connection: Stack, target: Target, finding: Finding) -> Mended:
    plan = finding.plan
    if plan is None:
        raise ValueError(f"{finding.cause.key} has no plan")
    try:
        _require_unchanged(connection, target, finding, plan)
        apply(plan, connection)
    except StateChanged as error:
        return Mended(finding.cause, plan, "refused", str(error))
    except (Absent, CouldNotLook, OutpostError) as error:
        return Mended(finding.cause, plan, "failed", str(error))
    judged = _settled(connection, target, finding.cause, plan)
    return Mended(finding.cause, plan, "not mended" if judged else "mended", judged)


def _require_unchanged(connection: Stack, target: Target, finding: Finding, plan: Plan) -> None:
    """Raises `StateChanged` unless a fresh look at the cause leads to the very same plan."""
    region = Region(Look(connection.reader()), target)
    remedy = finding.cause.remedy
    fresh = remedy(region) if remedy and check(region, finding.cause).lit else None
    if fresh is None or fresh.id != plan.id:
        raise StateChanged(finding.cause.key)


def _settled(connection: Stack, target: Target, cause: Cause, plan: Plan) -> str:
    """Wait until the cause no longer holds, at most `plan.settle` seconds; what still holds, if it does."""
    until = time.monotonic() + plan.settle
    while True:
        region = Region(Look(connection.reader()), target)
        judgement = check(region, cause)
        steady = not any(action.call.operation == "ecs:UpdateService" for action in plan.actions)
        if judgement.verdict in (Verdict.OK, Verdict.SKIPPED) and (steady or not _deploying(region)):
            return ""
        if time.monotonic() >= until:
            return judgement.summary if judgement.lit else f"not settled after {plan.settle} s"
        time.sleep(POLL)


def _deploying(region: Region) -> bool:
    service = region.containers.service()
    serving = any(target["TargetHealth"].get("State") == "healthy" for target in region.balancer.health())
    return region.containers.deploying() or service["runningCount"] < service["desiredCount"] or not serving


def _worse(before: Report, after: Report) -> set[str]:
    """Causes that fail now, did not before, and are not what an effect of before turned into."""
    failed_before = {item.cause.key for item in before.judged if item.judgement.verdict is Verdict.FAIL}
    failing_now = {item.cause.key for item in after.judged if item.judgement.verdict is Verdict.FAIL}
    return failing_now - failed_before


def _take_back(connection: Stack, item: Mended) -> Mended:
    if item.outcome not in ("mended", "not mended"):
        return item
    complete = undo(item.plan.actions, connection)
    return Mended(item.cause, item.plan, "undone", "" if complete else "in part: some calls cannot be undone")
