"""Mending: apply the plans of a report, look again, and take back what made it worse."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from outpost.errors import OutpostError
from runbooks.looking import Absent, Answer, CouldNotLook, Look, Reader
from runbooks.model import Cause, Verdict
from runbooks.observations import Region
from runbooks.ranking import Finding
from runbooks.remedies import Action, Plan, StateChanged, apply, undo
from runbooks.run import Progress, Report, check, diagnose
from runbooks.target import Target

POLL = 1.0  # seconds between looks while a change settles
APPLIED = ("mended", "not mended")

Again = Callable[[], Report]


class Stack(Protocol):
    """What is mended: it can be looked at anew, and called. `Connection` is one."""

    @property
    def target(self) -> Target: ...

    def reader(self) -> Reader: ...

    def call(self, operation: str, parameters: Answer) -> Answer: ...


@dataclass(frozen=True)
class Mended:
    """What was done about one finding: `mended`, `not mended`, `not needed`, `undone`, `refused` or `failed`.

    `actions` are the calls that were made, as they were made.
    """

    cause: Cause
    plan: Plan
    outcome: str
    detail: str = ""
    actions: tuple[Action, ...] = ()


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
    fresh look at its cause gives the same plan; or, when all are approved, the same correction on top of what
    this very run has registered. Returns what was done and the last report.
    """
    look_again = again or (lambda: diagnose(connection.target, connection.reader()))
    todo = [f for f in report.findings if f.plan is not None and approved in ("", f.plan.id)]
    if approved and not todo:
        progress(_no_such_plan(report, approved))
    run = _Run(connection, report, progress, rebase=not approved)
    for group in _by_base(todo):
        run.mend(group)
    after = look_again()
    worse = _worse(report, after)
    if worse and any(item.outcome in APPLIED for item in run.done):
        progress(f"worse than before ({', '.join(sorted(worse))}): taking the changes back")
        run.take_back()
        after = look_again()
    return run.done, after


class _Run:
    """One run of mending; `registered` has what it put in the place of each task definition."""

    def __init__(self, connection: Stack, report: Report, progress: Progress, *, rebase: bool) -> None:
        self.done: list[Mended] = []
        self._connection = connection
        self._report = report
        self._say = progress
        self._rebase = rebase
        self._registered: dict[str, str] = {}
        self._changed = False

    def mend(self, group: Sequence[Finding]) -> None:
        """Apply the plans of causes that share a task definition one on top of the other, and only then wait.

        A revision that has only one of them mended may well not start.
        """
        made = [self._apply(finding, group) for finding in group]
        for item in made:
            settled = self._settled(item) if item.actions else item
            self.done.append(settled)
            self._say(f"{settled.outcome}: {settled.cause.key} {settled.detail}".rstrip())

    def take_back(self) -> None:
        """Undo what was applied, last first."""
        for number, item in reversed(list(enumerate(self.done))):
            if item.outcome in APPLIED:
                left = undo(item.actions, self._connection)
                detail = f"in part: {'; '.join(left)}" if left else ""
                self.done[number] = replace(item, outcome="undone", detail=detail)
                self._say(f"undone: {item.cause.key} {detail}".rstrip())

    def _apply(self, finding: Finding, group: Sequence[Finding]) -> Mended:
        """Make the calls of a finding's plan, without waiting for what comes of them."""
        if finding.plan is None:
            raise ValueError(f"{finding.cause.key} has no plan")
        self._say(f"mending {finding.cause.key}")
        self._tell_what_stays(finding, group)
        try:
            plan = self._as_approved(finding, finding.plan)
            if plan is None:
                return Mended(finding.cause, finding.plan, "not needed", "it is mended already")
            actions = apply(plan, self._connection)
        except StateChanged as error:
            return Mended(finding.cause, finding.plan, "refused", str(error))
        except (Absent, CouldNotLook, OutpostError) as error:
            return Mended(finding.cause, finding.plan, "failed", str(error))
        self._changed = True
        for action in actions:
            if action.base and action.undo:
                self._replaced(action.base, str(action.undo.parameters["taskDefinition"]))
        return Mended(finding.cause, plan, "not mended", actions=actions)

    def _replaced(self, base: str, registered: str) -> None:
        """Remember what stands now in the place of a task definition, and of those that it had replaced."""
        for old in [base, *(old for old, new in self._registered.items() if new == base)]:
            self._registered[old] = registered

    def _as_approved(self, finding: Finding, plan: Plan) -> Plan | None:
        """The plan by a fresh look; None when an earlier plan of this run has mended the cause already.

        Raises `StateChanged` unless it is the plan that was approved, or differs only in that it copies what
        this run has registered in the meantime.
        """
        region = Region(Look(self._connection.reader()), self._connection.target)
        judgement = check(region, finding.cause)
        if self._changed and judgement.verdict in (Verdict.OK, Verdict.SKIPPED):
            return None
        remedy = None if judgement.manual or not judgement.lit else finding.cause.remedy
        fresh = remedy(region) if remedy else None
        if fresh is None:
            raise StateChanged(finding.cause.key)
        if fresh.id == plan.id:
            return fresh
        moved = frozenset(self._registered.get(base, base) for base in plan.bases)
        if self._rebase and moved != plan.bases and fresh.bases == moved:
            return fresh
        raise StateChanged(finding.cause.key)

    def _tell_what_stays(self, finding: Finding, group: Sequence[Finding]) -> None:
        """What else is wrong in the task definition that is about to be copied."""
        bases = finding.plan.bases if finding.plan else frozenset()
        names = ", ".join(sorted(base.rpartition("/")[2] for base in bases))
        for item in self._report.beside(finding):
            if any(item.cause.key == other.cause.key for other in group):
                how = "mended with it"
            else:
                how = f"kept: plan {item.plan.id} mends it" if item.plan else "kept: a person has to mend it"
            self._say(f"{names} also has {item.cause.key} ({how})")

    def _settled(self, item: Mended) -> Mended:
        """Wait until the cause no longer holds, `plan.settle` seconds at most; else what still holds."""
        until = time.monotonic() + item.plan.settle
        deploys = any(action.call.operation == "ecs:UpdateService" for action in item.actions)
        while True:
            region = Region(Look(self._connection.reader()), self._connection.target)
            judgement = check(region, item.cause)
            if judgement.verdict in (Verdict.OK, Verdict.SKIPPED) and not (deploys and _deploying(region)):
                return replace(item, outcome="mended")
            if time.monotonic() >= until:
                still = f"not settled after {item.plan.settle} s"
                return replace(item, detail=judgement.summary if judgement.lit else still)
            time.sleep(POLL)


def _by_base(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings in their order, those whose plans copy the same task definition together."""
    groups: list[list[Finding]] = []
    for finding in findings:
        bases = finding.plan.bases if finding.plan else frozenset()
        group = next((g for g in groups if any(f.plan and f.plan.bases & bases for f in g)), None)
        if group is None:
            groups.append([finding])
        else:
            group.append(finding)
    return groups


def _no_such_plan(report: Report, approved: str) -> str:
    plans = [f"{f.plan.id} {f.cause.key}" for f in report.findings if f.plan]
    offered = f"The plans of now: {', '.join(plans)}." if plans else "There is none now."
    return (
        f"refused: there is no plan {approved}; what it was made for has changed, or is mended. "
        f"{offered} See them: ./inv diagnose --fix"
    )


def _deploying(region: Region) -> bool:
    """Whether the service is on its way, or that cannot be seen now."""
    try:
        service = region.containers.service()
        serving = any(target["TargetHealth"].get("State") == "healthy" for target in region.balancer.health())
        wanted = service["desiredCount"]  # none where it is scaled to 0, which is another finding's to mend
        moving = region.containers.deploying() or service["runningCount"] < wanted
    except (Absent, CouldNotLook):
        return True
    return moving or (wanted > 0 and not serving)


def _worse(before: Report, after: Report) -> set[str]:
    """Causes that fail now, did not before, and are not what an effect of before turned into."""
    failed_before = {item.cause.key for item in before.judged if item.judgement.verdict is Verdict.FAIL}
    failing_now = {item.cause.key for item in after.judged if item.judgement.verdict is Verdict.FAIL}
    return failing_now - failed_before
