"""Workspaces: directories that a tenant in persistent mode keeps between dispatches."""

from dataclasses import dataclass

from outpost.worker_protocol import WORKSPACE_ID

MAX_PER_TENANT = 100
NAME_LENGTH = 100

__all__ = ["MAX_PER_TENANT", "NAME_LENGTH", "WORKSPACE_ID", "Workspace"]


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """One workspace. `active` counts the dispatches that use it and have not ended."""

    tenant_id: str
    workspace_id: str
    created_at: float
    name: str = ""
    active: int = 0
