"""Why a task ended: one pure function for the API, the worker and the runbooks.

It reads what ECS and the log say, by exit code first, then stop code, then the words of the reasons and of
the log's tail, and answers with the guide's issue and cause where the guide has one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from outpost.exit_codes import WorkerExit


@dataclass(frozen=True, kw_only=True)
class TaskEnd:
    """What is known of a stopped task. `agent_started`: the worker had fetched its assignment."""

    exit_code: int | None = None
    stop_code: str = ""  # ECS: TaskFailedToStart, EssentialContainerExited, UserInitiated, ...
    stopped_reason: str = ""
    container_reason: str = ""
    log_tail: Sequence[str] = ()
    agent_started: bool = False


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A classified end. `issue` and `cause` are the runbooks' codes, empty where the guide has none."""

    code: str
    summary: str
    remedy: str
    issue: str = ""
    cause: str = ""
    evidence: str = ""
    may_relaunch: bool = False  # the container never started, so nothing the agent did can be repeated


def classify(end: TaskEnd) -> Failure | None:
    """The reason that a task failed; None when it ended well (exit code 0)."""
    if end.exit_code == WorkerExit.COMPLETED:
        return None
    raise NotImplementedError
