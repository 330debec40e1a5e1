"""Why a task ended: one pure function for the API, the worker and the runbooks.

It reads what ECS and the log say, by exit code first, then stop code, then the words of the reasons and of
the log's tail, and answers with the guide's issue and cause where the guide has one. It never raises.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from outpost import launch_signs, log_signs, signs
from outpost.agents import AGENTS
from outpost.exit_codes import WorkerExit
from outpost.names import CONTROL_PLANE_FAMILY, family
from outpost.signs import Sign

LONGEST_EVIDENCE = 500  # characters


@dataclass(frozen=True, kw_only=True)
class TaskEnd:
    """What is known of a stopped task, or of a refused RunTask.

    `agent_started`: the worker had fetched its assignment. `family`: of its task definition, where known.
    `log_tail`: the worker's JSON lines, or plain lines.
    """

    exit_code: int | None = None
    stop_code: str = ""  # ECS: TaskFailedToStart, EssentialContainerExited, UserInitiated, ...
    stopped_reason: str = ""
    container_reason: str = ""
    log_tail: Sequence[str] = ()
    agent_started: bool = False
    family: str = ""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A classified end. `issue` and `cause` are the runbooks' codes, empty where the guide has none."""

    code: str
    summary: str
    remedy: str
    issue: str = ""
    cause: str = ""
    evidence: str = ""
    may_relaunch: bool = False  # the agent never started and another try can help


def classify(end: TaskEnd) -> Failure | None:
    """The reason that a task failed; None when it ended well (exit code 0)."""
    if end.exit_code == WorkerExit.COMPLETED:
        return None
    failure = _by_exit_code(end)
    if failure.may_relaunch and end.agent_started:
        return replace(failure, may_relaunch=False)
    return failure


def no_changes(log_tail: Sequence[str]) -> Failure:
    """Why an agent that ended well changed nothing, as far as its log tells."""
    lines = signs.recent(signs.parse(log_tail))
    sign, evidence = signs.first(log_signs.NO_CHANGES, lines)
    if sign is not None:
        return _failure(sign, evidence)
    said = [line.text for line in lines if line.stream != "worker" and line.text.strip()]
    return Failure(
        code="no-changes",
        issue="agent-no-changes",
        summary="The agent ended well and changed nothing.",
        remedy="Read what it said last, and name the files and the change that you expect in the task.",
        evidence=said[-1][:LONGEST_EVIDENCE] if said else "",
    )


def _by_exit_code(end: TaskEnd) -> Failure:
    match end.exit_code:
        case None:
            return _never_started(end)
        case WorkerExit.NO_ASSIGNMENT:
            return Failure(
                code="no-assignment",
                issue="dispatch-stuck-pending",
                cause="egress-blocked",
                summary="The worker could not reach the control plane for its assignment.",
                remedy="Verify that the worker security group allows egress, and that /health answers.",
                may_relaunch=True,
            )
        case WorkerExit.REFUSED:
            return Failure(
                code="fenced",
                summary="The control plane refused the worker: another attempt took over, or it has ended.",
                remedy="Nothing to do: this attempt could write nothing.",
            )
        case WorkerExit.TIMEOUT:
            return _timeout(end)
        case WorkerExit.OUT_OF_MEMORY:
            return _killed(end)
        case WorkerExit.SEGMENTATION_FAULT:
            return Failure(
                code="segmentation-fault",
                issue="control-plane-not-starting" if end.family == CONTROL_PLANE_FAMILY else "",
                cause="segmentation-fault" if end.family == CONTROL_PLANE_FAMILY else "",
                summary="A process crashed with a segmentation fault (exit code 139).",
                remedy="Check for native module issues: a library built for another platform or version.",
            )
        case WorkerExit.TERMINATED:
            return _terminated(end)
    return _failed(end)


def _never_started(end: TaskEnd) -> Failure:
    reasons = f"{end.stopped_reason} {end.container_reason}".strip()
    if sign := signs.match(launch_signs.LAUNCH, reasons):
        return _failure(sign, reasons)
    if end.stop_code == "UserInitiated":
        return _stopped(end)
    return Failure(
        code="unknown",
        summary="The task ended without an exit code and without a reason that is known.",
        remedy="Read the evidence; it is what ECS said.",
        evidence=reasons[:LONGEST_EVIDENCE],
        # Nothing ran, so nothing is repeated; most of what has no name passes (an error 500 of a service).
        may_relaunch=True,
    )


def _timeout(end: TaskEnd) -> Failure:
    lines = signs.parse(end.log_tail)
    sign, evidence = signs.most_frequent(log_signs.TIMEOUT, lines)
    if sign is None and (step := signs.repeated_step(lines)):
        sign, evidence = log_signs.LOOP, step
    steps = [line.text for line in lines if line.stream == "agent"]
    if sign is None and steps:
        sign, evidence = log_signs.TOO_COMPLEX, steps[-1]
    if sign is not None:
        return _failure(sign, evidence)
    return Failure(
        code="timeout",
        issue="agent-timeout",
        summary="The dispatch reached its timeout.",
        remedy="Break it into smaller tasks, or allow it more time.",
    )


def _killed(end: TaskEnd) -> Failure:
    """137 is SIGKILL, of which out-of-memory is only one source."""
    reasons = f"{end.container_reason} {end.stopped_reason}".strip()
    lines = signs.parse(end.log_tail)
    if log_signs.OUT_OF_MEMORY.search(reasons) or any(
        line.stream == "worker" and log_signs.OUT_OF_MEMORY.search(line.text) for line in lines
    ):
        issue, cause = _memory_cause(end.family)
        return Failure(
            code="out-of-memory",
            issue=issue,
            cause=cause,
            summary="The container was killed because it ran out of memory (exit code 137).",
            remedy="Increase the memory of the task definition to the recommended size or above.",
            evidence=reasons[:LONGEST_EVIDENCE],
        )
    if end.stop_code in ("UserInitiated", "ServiceSchedulerInitiated") or reasons.startswith(
        "Scaling activity"
    ):
        return Failure(
            code="stop-timeout",
            summary="The container was told to stop and did not within its stop timeout, so it was killed "
            "(exit code 137). It did not run out of memory.",
            remedy="Raise stopTimeout, or find out what keeps the process from ending on SIGTERM.",
            evidence=reasons[:LONGEST_EVIDENCE],
        )
    return Failure(
        code="killed",
        summary="The container was killed (exit code 137) and nothing says that memory was the reason.",
        remedy="Look at its memory use at that time before you increase the memory.",
        evidence=reasons[:LONGEST_EVIDENCE],
    )


def _memory_cause(task_family: str) -> tuple[str, str]:
    if task_family == CONTROL_PLANE_FAMILY:
        return "control-plane-not-starting", "out-of-memory"
    for spec in AGENTS.values():
        if family(spec.agent) == task_family:
            return "memory-pressure", f"{spec.tier.name}-undersized"
    return "memory-pressure", ""


def _terminated(end: TaskEnd) -> Failure:
    if end.stop_code in ("SpotInterruption", "TerminationNotice"):
        return Failure(
            code="interrupted",
            summary="AWS took the capacity back and stopped the task (exit code 143).",
            remedy="Dispatch it again, or run it on Fargate instead of Fargate Spot.",
            evidence=end.stopped_reason[:LONGEST_EVIDENCE],
        )
    return _stopped(end)


def _stopped(end: TaskEnd) -> Failure:
    control_plane = end.family == CONTROL_PLANE_FAMILY
    return Failure(
        code="terminated",
        issue="control-plane-not-starting" if control_plane else "",
        cause="terminated" if control_plane else "",
        summary="The task was told to stop (SIGTERM).",
        remedy="Normal for a deployment, scaling or a cancel; the evidence says which.",
        evidence=end.stopped_reason[:LONGEST_EVIDENCE],
    )


def _failed(end: TaskEnd) -> Failure:
    reasons = f"{end.stopped_reason} {end.container_reason}".strip()
    if sign := signs.match(launch_signs.LAUNCH, reasons):
        return _failure(sign, reasons)
    sign, evidence = signs.first(log_signs.FAILED, signs.recent(signs.parse(end.log_tail)))
    if sign is not None:
        return _failure(sign, evidence)
    control_plane = end.family == CONTROL_PLANE_FAMILY
    return Failure(
        code="application-error" if control_plane else "agent-failed",
        issue="control-plane-not-starting" if control_plane else "",
        cause="application-error" if control_plane else "",
        summary=f"It ended with exit code {end.exit_code}.",
        remedy="Check the log for the error or the stack trace.",
        evidence=reasons[:LONGEST_EVIDENCE],
    )


def _failure(sign: Sign, evidence: str) -> Failure:
    return Failure(
        code=sign.code,
        issue=sign.issue,
        cause=sign.cause,
        summary=sign.summary,
        remedy=sign.remedy,
        evidence=evidence[:LONGEST_EVIDENCE],
        may_relaunch=sign.may_relaunch,
    )
