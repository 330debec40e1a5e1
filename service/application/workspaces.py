"""Making, showing and deleting workspaces."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from ulid import ULID

from service.domain.ports import Clock, PersistentModeError, WorkspaceNotFoundError
from service.domain.workspaces import MAX_PER_TENANT, Workspace


@dataclass(frozen=True, kw_only=True)
class WorkspacePage:
    """Workspaces, newest first; `last` is where the next page starts, None at the end."""

    workspaces: Sequence[Workspace]
    last: str | None


class WorkspaceStore(Protocol):
    """The workspaces table. Every method may raise `UnavailableError`."""

    def create(self, workspace: Workspace, maximum: int) -> None:
        """Write it. Raises `WorkspaceLimitError` when the tenant has `maximum` already."""

    def get(self, tenant_id: str, workspace_id: str) -> Workspace | None: ...

    def page(self, tenant_id: str, after: str | None, limit: int) -> WorkspacePage: ...

    def delete(self, tenant_id: str, workspace_id: str) -> None:
        """Raises `WorkspaceNotFoundError`, and `WorkspaceInUseError` while a dispatch uses it."""


class Workspaces:
    """A tenant's workspaces. Their files are on the tenant's access point, which only its workers mount."""

    def __init__(self, *, store: WorkspaceStore, tenants: Collection[str], clock: Clock) -> None:
        """`tenants` are those for whom persistent mode is enabled."""
        self.store = store
        self._tenants = tenants
        self._clock = clock

    def enabled(self, tenant_id: str) -> None:
        """Raises `PersistentModeError` for a tenant without persistent mode."""
        if tenant_id not in self._tenants:
            raise PersistentModeError(tenant_id)

    def create(self, tenant_id: str, name: str) -> Workspace:
        """Raises `PersistentModeError` and `WorkspaceLimitError`."""
        self.enabled(tenant_id)
        now = self._clock()
        made = Workspace(
            tenant_id=tenant_id, workspace_id=str(ULID.from_timestamp(now)), created_at=now, name=name
        )
        self.store.create(made, MAX_PER_TENANT)
        return made

    def get(self, tenant_id: str, workspace_id: str) -> Workspace:
        """Raises `WorkspaceNotFoundError`, for another tenant's workspace as for none."""
        found = self.store.get(tenant_id, workspace_id)
        if found is None:
            raise WorkspaceNotFoundError(workspace_id)
        return found
