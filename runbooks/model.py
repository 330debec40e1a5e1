"""What a runbook is made of: issues, causes, judgements and evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from runbooks.alarms import Alarm
from runbooks.looking import Absent, CouldNotLook

if TYPE_CHECKING:
    from runbooks.observations import Region
    from runbooks.remedies import Plan


class Verdict(StrEnum):
    """What a check found. UNKNOWN: it could not look, or could not tell; never the same as OK."""

    FAIL = "FAIL"
    WARN = "WARN"
    UNKNOWN = "UNKNOWN"
    OK = "OK"
    SKIPPED = "SKIPPED"


class Severity(IntEnum):
    """Whom a cause hurts; the lower number is ranked first."""

    PLATFORM = 0  # nobody can use it
    DISPATCHES = 1  # it answers, but dispatches do not run
    DEGRADED = 2  # slower or closer to failing than it should be
    CALLER = 3  # one caller, one task or one client


@dataclass(frozen=True)
class Evidence:
    """One fact: the API call that showed it, the resource, the value seen and the value expected."""

    source: str
    resource: str
    saw: str
    expected: str


@dataclass(frozen=True)
class Judgement:
    """A check's answer. Use `ok`, `fail`, `warn`, `unknown` and `skipped` to make one."""

    verdict: Verdict
    summary: str
    evidence: tuple[Evidence, ...] = ()
    direct: bool = True  # seen in the configuration or a log line, not inferred from an effect
    commands: tuple[str, ...] = ()  # what a person runs next, with the ids of what was found
    manual: bool = False  # the cause's remedy does not fit what was found

    @property
    def lit(self) -> bool:
        """Whether the cause holds, or may hold."""
        return self.verdict in (Verdict.FAIL, Verdict.WARN)

    def then(self, *commands: str) -> Judgement:
        """The same judgement, with commands for the person who mends it; none while nothing is wrong."""
        return replace(self, commands=self.commands + commands) if self.lit else self

    def by_a_person(self) -> Judgement:
        """The same judgement, of something that the cause's remedy would not mend."""
        return replace(self, manual=True)


def ok(summary: str, *evidence: Evidence) -> Judgement:
    """The cause is refuted; the summary says by what."""
    return Judgement(Verdict.OK, summary, evidence)


def fail(summary: str, *evidence: Evidence, direct: bool = True) -> Judgement:
    """The cause is proven. A failure without evidence is a mistake in the check."""
    if not evidence:
        raise ValueError(f"a failure needs evidence: {summary}")
    return Judgement(Verdict.FAIL, summary, evidence, direct)


def warn(summary: str, *evidence: Evidence, direct: bool = True) -> Judgement:
    """The cause is likely, or is a risk that has not struck yet."""
    if not evidence:
        raise ValueError(f"a warning needs evidence: {summary}")
    return Judgement(Verdict.WARN, summary, evidence, direct)


def unknown(summary: str, *evidence: Evidence) -> Judgement:
    """It could not be told."""
    return Judgement(Verdict.UNKNOWN, summary, evidence)


def skipped(summary: str) -> Judgement:
    """The cause cannot apply here; the summary says why."""
    return Judgement(Verdict.SKIPPED, summary)


def supporting(look: Callable[[], Iterable[Evidence]]) -> list[Evidence]:
    """Evidence beside what proves the cause: left out where it cannot be looked at."""
    try:
        return list(look())
    except (Absent, CouldNotLook):
        return []


Check = Callable[["Region"], Judgement]
Remedy = Callable[["Region"], "Plan | None"]


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One row of the guide's table of causes.

    `guide` and `solution` are the guide's wording; `steps` says how a person carries it out.
    `explains` names causes (of any issue) that follow from this one: when both are found, they are folded
    under it. `remedy` plans the calls that mend it, or is None where only a person can.
    """

    issue: str
    code: str
    guide: str
    solution: str
    steps: str
    title: str
    severity: Severity
    check: Check = field(repr=False)
    explains: tuple[str, ...] = ()
    remedy: Remedy | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        return f"{self.issue}/{self.code}"

    @property
    def advice(self) -> str:
        """The guide's solution, and what a person does to carry it out."""
        return f"{self.solution} {self.steps}".strip()


@dataclass(kw_only=True)
class Runbook:
    """One issue of the guide: how it shows, what detects it, what causes it.

    `further` are alarms for what the first one cannot see, by what they are called after the stack's name.
    """

    issue: str
    title: str
    section: str
    symptoms: tuple[str, ...]
    alarm: Alarm
    severity: Severity
    further: Mapping[str, Alarm] = field(default_factory=dict)
    causes: list[Cause] = field(default_factory=list)

    def cause(
        self,
        code: str,
        *,
        guide: str,
        solution: str,
        title: str = "",
        steps: str = "",
        explains: tuple[str, ...] = (),
        severity: Severity | None = None,
        remedy: Remedy | None = None,
    ) -> Callable[[Check], Check]:
        """Declare a cause; the decorated function is its check.

        The title is the docstring's first line, or is given where one check serves several causes.
        """

        def declare(check: Check) -> Check:
            words = title or (check.__doc__ or "").strip().splitlines()[0]
            self.causes.append(
                Cause(
                    issue=self.issue,
                    code=code,
                    guide=guide,
                    solution=solution,
                    steps=steps,
                    title=words.rstrip("."),
                    severity=self.severity if severity is None else severity,
                    check=check,
                    explains=explains,
                    remedy=remedy,
                )
            )
            return check

        return declare
