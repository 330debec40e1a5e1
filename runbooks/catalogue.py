"""All runbooks, in the order of the guide."""

from runbooks.issues import (
    agent_fails_immediately,
    dispatch_stuck_pending,
    efs_mount_failure,
    health_check_failing,
)
from runbooks.model import Cause, Runbook

RUNBOOKS: tuple[Runbook, ...] = (
    health_check_failing.RUNBOOK,
    dispatch_stuck_pending.RUNBOOK,
    agent_fails_immediately.RUNBOOK,
    efs_mount_failure.RUNBOOK,
)


def causes(issue: str = "") -> tuple[Cause, ...]:
    """Every cause, or those of one issue."""
    return tuple(cause for runbook in RUNBOOKS if issue in ("", runbook.issue) for cause in runbook.causes)
