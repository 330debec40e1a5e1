"""All runbooks, in the order of the guide."""

from runbooks.issues import (
    agent_fails_immediately,
    agent_no_changes,
    agent_timeout,
    client_failing,
    control_plane_not_starting,
    dispatch_stuck_pending,
    dynamodb_throttling,
    efs_mount_failure,
    forbidden,
    health_check_failing,
    high_cold_start,
    mcp_not_connecting,
    memory_pressure,
    s3_access_denied,
    slow_responses,
    unauthorized,
)
from runbooks.model import Cause, Runbook

RUNBOOKS: tuple[Runbook, ...] = (
    health_check_failing.RUNBOOK,
    control_plane_not_starting.RUNBOOK,
    slow_responses.RUNBOOK,
    dispatch_stuck_pending.RUNBOOK,
    agent_fails_immediately.RUNBOOK,
    agent_timeout.RUNBOOK,
    agent_no_changes.RUNBOOK,
    unauthorized.RUNBOOK,
    forbidden.RUNBOOK,
    dynamodb_throttling.RUNBOOK,
    s3_access_denied.RUNBOOK,
    efs_mount_failure.RUNBOOK,
    high_cold_start.RUNBOOK,
    memory_pressure.RUNBOOK,
    mcp_not_connecting.RUNBOOK,
    client_failing.RUNBOOK,
)


def causes(issue: str = "") -> tuple[Cause, ...]:
    """Every cause, or those of one issue."""
    return tuple(cause for runbook in RUNBOOKS if issue in ("", runbook.issue) for cause in runbook.causes)
