"""Agent produces no changes: it ended well, and the diff is empty."""

from __future__ import annotations

from runbooks.agent_reasons import judgement, unchanged, unresolved
from runbooks.alarms import LogAlarm
from runbooks.model import Judgement, Runbook, Severity
from runbooks.observations import Region

RUNBOOK = Runbook(
    issue="agent-no-changes",
    title="Agent produces no changes",
    section="Workers and agents",
    symptoms=("Status: COMPLETED", "Exit code: 0", "Git diff: empty"),
    alarm=LogAlarm(
        log_group="/ecs/outpost-control-plane",
        pattern='{ $.event = "dispatch-ended" && $.status = "COMPLETED" && $.reason = * }',
        threshold=3,
    ),
    severity=Severity.CALLER,
)

ISSUE = RUNBOOK.issue
_WORDS = "inferred from the agent's words"


@RUNBOOK.cause(
    "task-misunderstood",
    guide="Task misunderstood",
    solution="Clarify task description.",
    steps="Answer what it asked (the evidence quotes it) in the task, and dispatch again.",
)
def task_misunderstood(region: Region) -> Judgement:
    """The agent asked back or declined, and changed nothing."""
    jobs = unchanged(region, "task-misunderstood")
    return judgement(region, jobs, "no agent asked back instead of working", inferred=_WORDS)


@RUNBOOK.cause(
    "wrong-branch",
    guide="Wrong branch",
    solution="Specify correct branch.",
    steps="Dispatch again with `branch`; git ls-remote --heads URL lists them.",
)
def wrong_branch(region: Region) -> Judgement:
    """The branch does not exist, or lacks what the task names."""
    refused = unresolved(region, ISSUE, "wrong-branch")
    if refused:
        return judgement(region, refused, "")
    return judgement(
        region, unchanged(region, "wrong-branch"), "no dispatch was on a wrong branch", inferred=_WORDS
    )


@RUNBOOK.cause(
    "file-not-found",
    guide="File not found",
    solution="Verify file paths in task.",
    steps="Correct the paths in the task, or name the branch that has them.",
)
def file_not_found(region: Region) -> Judgement:
    """Paths that the task names do not exist."""
    jobs = unchanged(region, "file-not-found")
    return judgement(region, jobs, "no agent missed a file that its task names", inferred=_WORDS)


@RUNBOOK.cause(
    "read-only-mode",
    guide="Read-only mode",
    solution="Check agent configuration.",
    steps=(
        "Deploy the agent's image anew if its configuration was changed: ./inv images.build, ./inv "
        "images.push, ./inv deploy."
    ),
)
def read_only_mode(region: Region) -> Judgement:
    """The agent could not write to the workspace."""
    jobs = unchanged(region, "read-only-mode")
    return judgement(region, jobs, "no agent was kept from writing", inferred=_WORDS)
