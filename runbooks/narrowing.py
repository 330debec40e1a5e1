"""Narrowing a run to an issue, an alarm or a dispatch, and what to say of a name that names nothing."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from outpost.errors import OutpostError
from runbooks.alarms import alarm_name, detected
from runbooks.catalogue import RUNBOOKS, causes
from runbooks.looking import Absent, CouldNotLook
from runbooks.model import Cause
from runbooks.observations import Region
from runbooks.observations.dispatches import ID_LENGTH, Dispatches, Job

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
SUGGESTED = 5  # names that are like the one that was given
ALIKE = 0.85  # of difflib's ratio: the names of one stack begin alike


def selected(stack: str, *, issue: str = "", alarm: str = "", dispatch: str = "") -> tuple[Cause, ...]:
    """The causes that a run is narrowed to.

    Raises `OutpostError`: `no-such-issue`, `no-such-alarm`, or `not-of-a-dispatch` for an issue that no
    single dispatch can have.
    """
    wanted = _issue(issue) if issue else ""
    if alarm:
        detected = issue_of_alarm(alarm, stack)
        if wanted not in ("", detected):
            raise OutpostError(
                "invalid-option",
                f"The alarm {alarm} detects {detected}, and --issue says {wanted}.",
                remedy="Give one of them.",
            )
        wanted = detected
    if dispatch and wanted and wanted not in OF_A_DISPATCH:
        raise OutpostError(
            "not-of-a-dispatch",
            f"{wanted} is nothing that a single dispatch can have.",
            remedy=f"Leave out --dispatch, or take one of: {', '.join(OF_A_DISPATCH)}.",
        )
    if dispatch and not wanted:
        return tuple(cause for cause in causes() if cause.issue in OF_A_DISPATCH)
    return causes(wanted)


def issue_of_alarm(name: str, stack: str) -> str:
    """The issue that an alarm detects, by its name or ARN; by the issue's own name too.

    Raises `OutpostError` (`no-such-alarm`).
    """
    issues = detected()
    known = {alarm_name(stack, name): issue for name, issue in issues.items()}
    # Notifications carry the ARN: of an alarm (...:alarm:NAME), or of a rule (...:rule/NAME).
    given = name.strip().rpartition(":alarm:")[2].rpartition(":rule/")[2].lower()
    if given in known:
        return known[given]
    if given in issues.values():
        return given
    for suffix in issues:
        if given.startswith("outpost-") and given.endswith(f"-{suffix}"):
            other = given.removeprefix("outpost-").removesuffix(f"-{suffix}")
            raise OutpostError(
                "no-such-alarm",
                f"{given} is an alarm of stack {other}, and this run looks at {stack}.",
                remedy=f"Add --stack {other}, with the credentials of its account.",
            )
    clients = [runbook.issue for runbook in RUNBOOKS if runbook.issue not in issues.values()]
    if issue := next((issue for issue in clients if given and given.endswith(issue)), ""):
        raise OutpostError(
            "no-such-alarm",
            f"{issue} has no alarm: it shows on the client's machine.",
            remedy=f"Run there: ./inv diagnose --issue {issue}",
        )
    raise _unknown("no-such-alarm", f"There is no alarm {name!r} in stack {stack}.", given, list(known))


def _issue(name: str) -> str:
    """The issue's name. Raises `OutpostError` (`no-such-issue`)."""
    known = [runbook.issue for runbook in RUNBOOKS]
    if name in known:
        return name
    cause = next((cause for cause in causes() if name in (cause.key, cause.code)), None)
    if cause:
        raise OutpostError(
            "no-such-issue",
            f"{name!r} is a cause of the issue {cause.issue}, and no issue.",
            remedy=f"Narrow the run to all of its causes: --issue {cause.issue}",
        )
    raise _unknown("no-such-issue", f"There is no issue {name!r} in the guide.", name, known)


def _unknown(code: str, message: str, given: str, known: Sequence[str]) -> OutpostError:
    near = similar(given, known)
    if near:
        return OutpostError(code, message, remedy=f"Did you mean {' or '.join(near)}?")
    return OutpostError(code, message, remedy="\n  ".join(["There are:", *known]))


def similar(given: str, known: Sequence[str]) -> list[str]:
    """Names that begin with or hold what was given, or else are spelt much like it; the most alike first."""
    text = given.lower()
    holding = [name for name in known if text and text in name.lower()]
    return (holding or difflib.get_close_matches(text, known, SUGGESTED, ALIKE))[:SUGGESTED]


def require_dispatch(region: Region, dispatch: str) -> Job | None:
    """The dispatch that a run is about; None when the jobs table cannot be read.

    Raises `OutpostError` (`no-such-dispatch`) when there is none, with those that are like it.
    """
    try:
        found = region.dispatches.recent()
    except (Absent, CouldNotLook):
        return None  # the checks say what could not be looked at
    if found:
        return found[0]
    everyones = Dispatches(region.look, region.target, region.access)
    try:
        near = _alike(dispatch, [job.id for job in everyones.recent()])
    except (Absent, CouldNotLook):
        near = []
    if len(dispatch) != ID_LENGTH:
        message = f"{dispatch!r} is not the id of a dispatch: those have {ID_LENGTH} characters."
    else:
        message = f"There is no dispatch {dispatch} of any tenant in stack {region.target.stack}."
    since = f"{region.target.since // 60} minutes"
    remedy = (
        f"Of the last {since}, these are like it: {', '.join(near)}."
        if near
        else "Check the id and the stack; jobs are deleted when their time to live is over."
    )
    raise OutpostError("no-such-dispatch", message, remedy=remedy)


def _alike(given: str, known: Sequence[str]) -> list[str]:
    """Ids share the time they begin with, so a mistyped one has to be much like what it stands for."""
    holding = [identity for identity in known if given and given in identity]
    return (holding or difflib.get_close_matches(given, known, SUGGESTED, cutoff=0.9))[:SUGGESTED]
