"""Agent produces no changes: it ended well, and the diff is empty."""

from __future__ import annotations

from functools import partial

from runbooks.agent_reasons import judgement, unchanged, unresolved
from runbooks.alarms import LogAlarm
from runbooks.by_hand import branches
from runbooks.model import Judgement, Runbook, Severity
from runbooks.observations import Region

RUNBOOK = Runbook(
    issue="agent-no-changes",
    title="Agent produces no changes",
    section="Workers and agents",
    symptoms=("Status: COMPLETED", "Exit code: 0", "Git diff: empty"),
    alarm=LogAlarm(
        log_group="/ecs/outpost-control-plane",
        pattern='{ $.event = "dispatch-ended" && $.issue = "agent-no-changes" }',
        threshold=3,
    ),
    severity=Severity.CALLER,
)

ISSUE = RUNBOOK.issue
_WORDS = "inferred from the agent's words"


def _said(region: Region, cause: str, nothing: str) -> Judgement:
    """By what the agents said that ended well and changed nothing."""
    return judgement(region, unchanged(region, cause), nothing, inferred=_WORDS)


RUNBOOK.cause(
    "task-misunderstood",
    guide="Task misunderstood",
    solution="Clarify task description.",
    steps="Answer what it asked (the evidence quotes it) in the task, and dispatch again.",
    title="The agent asked back or declined, and changed nothing",
)(partial(_said, cause="task-misunderstood", nothing="no agent asked back instead of working"))


@RUNBOOK.cause(
    "wrong-branch",
    guide="Wrong branch",
    solution="Specify correct branch.",
    steps="Dispatch again with `branch`; git ls-remote --heads URL lists them.",
)
def wrong_branch(region: Region) -> Judgement:
    """The branch does not exist, or lacks what the task names."""
    refused = unresolved(region, ISSUE, "wrong-branch")
    return judgement(
        region,
        refused or unchanged(region, "wrong-branch"),
        "no dispatch was on a wrong branch",
        inferred="" if refused else _WORDS,
        first=branches,
        again=lambda job: {"branch": "BRANCH"},
    )


RUNBOOK.cause(
    "file-not-found",
    guide="File not found",
    solution="Verify file paths in task.",
    steps="Correct the paths in the task, or name the branch that has them.",
    title="Paths that the task names do not exist",
)(partial(_said, cause="file-not-found", nothing="no agent missed a file that its task names"))

RUNBOOK.cause(
    "read-only-mode",
    guide="Read-only mode",
    solution="Check agent configuration.",
    steps=(
        "Deploy the agent's image anew if its configuration was changed: ./inv images.build, ./inv "
        "images.push, ./inv deploy."
    ),
    title="The agent could not write to the workspace",
)(partial(_said, cause="read-only-mode", nothing="no agent was kept from writing"))
