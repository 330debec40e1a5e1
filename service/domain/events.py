"""What can happen to a dispatch, what follows outside of it, and how a decision is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.domain.job import Job, Reason, StoppedEvidence


class Seen(StrEnum):
    """What ECS answers about a task."""

    UNKNOWN = "unknown"  # could not look
    MISSING = "missing"  # ECS does not know it (any more)
    ACTIVE = "active"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """A task as the reconciler sees it. `log_tail` is filled for stopped tasks only."""

    seen: Seen
    arn: str | None = None
    evidence: StoppedEvidence | None = None
    log_tail: Sequence[str] = ()


# --- events


@dataclass(frozen=True, kw_only=True)
class LaunchClaimed:
    """A launcher takes the next attempt."""


@dataclass(frozen=True, kw_only=True)
class Launched:
    """RunTask answered with a task for this attempt."""

    attempt: int
    arn: str


@dataclass(frozen=True, kw_only=True)
class LaunchRefused:
    """RunTask answered, and no task was made. An answer that never came is not this: it is repeated."""

    attempt: int
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class WorkerClaimed:
    """The worker of this attempt asked for its assignment."""

    attempt: int


@dataclass(frozen=True, kw_only=True)
class WorkerFinished:
    """The worker of this attempt reports how it ended."""

    attempt: int
    exit_code: int
    reason: Reason | None = None
    summary: str | None = None
    changes: Mapping[str, int] | None = None
    artifacts: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, kw_only=True)
class TaskStopped:
    """ECS says that the task of this attempt is gone."""

    attempt: int
    evidence: StoppedEvidence
    log_tail: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class CancelRequested:
    """A client wants no more of it."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class DeadlinePassed:
    """The time by which something should have happened is over; `view` is what ECS says now.

    `read_to`: launch messages that were queued before this time (epoch seconds) have been received; None
    where that is not known. `waiting`: why nothing like it is launched, if launches are refused.
    """

    view: TaskView
    read_to: float | None = None
    waiting: Reason | None = None


Event = (
    LaunchClaimed
    | Launched
    | LaunchRefused
    | WorkerClaimed
    | WorkerFinished
    | TaskStopped
    | CancelRequested
    | DeadlinePassed
)

# --- effects: what is to be done once the decision is written


@dataclass(frozen=True, kw_only=True)
class Enqueue:
    """Send a launch message; `delay` in seconds."""

    delay: float = 0


@dataclass(frozen=True, kw_only=True)
class StopTask:
    """Ask ECS to stop the task. If that is lost, the reconciler repeats it."""

    arn: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The dispatch reached its terminal state with this decision."""


Effect = Enqueue | StopTask | Ended


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The event may not happen to this dispatch as it is now; nothing is written."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The job after the event (the same object if nothing changes) and what follows."""

    job: Job
    effects: tuple[Effect, ...] = ()
    refusal: Refusal | None = None
