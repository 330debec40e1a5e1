"""`/workspaces`: directories that a tenant in persistent mode keeps between dispatches."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from service.application.log_reading import BadCursorError
from service.domain.keys import ApiKey, Scope
from service.domain.ports import WorkspaceNotFoundError
from service.domain.times import iso
from service.domain.workspaces import NAME_LENGTH, WORKSPACE_ID, Workspace
from service.problems import ProblemError
from service.routers.access import GuardedRoute, KeyGate
from service.routers.dispatches import CURSOR, storable
from service.routers.mapping import threaded
from service.routers.openapi import answering, documented
from service.services import Services


class WorkspaceBody(BaseModel):
    """A workspace to make; `name` is for people and need not be unique."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(max_length=NAME_LENGTH)] = ""


class WorkspaceView(BaseModel):
    """One workspace."""

    workspaceId: str  # noqa: N815 - the API's spelling
    name: str
    createdAt: str  # noqa: N815
    activeDispatches: int = Field(description="Dispatches that use it and have not ended")  # noqa: N815


class WorkspaceList(BaseModel):
    """A page of workspaces, newest first; no `cursor` means no more."""

    workspaces: list[WorkspaceView]
    cursor: str | None = None


def view(workspace: Workspace) -> dict[str, Any]:
    return {
        "workspaceId": workspace.workspace_id,
        "name": workspace.name,
        "createdAt": iso(workspace.created_at),
        "activeDispatches": workspace.active,
    }


def _known_id(workspace_id: str) -> str:
    """The id in its one spelling. Raises `WorkspaceNotFoundError` for what cannot be one."""
    if not re.fullmatch(WORKSPACE_ID, workspace_id.upper()):
        raise WorkspaceNotFoundError(workspace_id)
    return workspace_id.upper()


def _cursor_of(workspace_id: str) -> str:
    return urlsafe_b64encode(f"w:{workspace_id}".encode()).decode().rstrip("=")


def _place_of(cursor: str | None) -> str | None:
    """The workspace after which the page starts. Raises `BadCursorError`."""
    if cursor is None:
        return None
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except ValueError:
        text = ""
    if not text.startswith("w:") or not re.fullmatch(WORKSPACE_ID, text[2:]):
        raise BadCursorError(cursor)
    return text[2:]


def make(services: Services) -> APIRouter:
    router = APIRouter(route_class=GuardedRoute, prefix="/workspaces", tags=["workspaces"])
    may_dispatch = Depends(KeyGate(services, Scope.DISPATCH))
    may_see = Depends(KeyGate(services, Scope.STATUS))

    @router.post(
        "",
        status_code=201,
        response_model=WorkspaceView,
        responses=documented(400, 401, 403, 409, 413, 422, 429, 503) | answering(201, "Location"),
    )
    async def create(body: WorkspaceBody, key: Annotated[ApiKey, may_dispatch]) -> JSONResponse:
        """Make a workspace, for dispatches with `workspace: "persistent"` that name its `workspaceId`."""
        if not storable(body.name):
            raise ProblemError(422, "invalid-request", "body.name: not valid Unicode")
        made = await threaded(lambda: services.workspaces.create(key.tenant_id, body.name))
        return JSONResponse(
            view(made), status_code=201, headers={"Location": f"/workspaces/{made.workspace_id}"}
        )

    @router.get("", response_model=WorkspaceList, responses=documented(401, 403, 404, 422, 429, 503))
    async def listing(
        key: Annotated[ApiKey, may_see],
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        cursor: Annotated[str | None, Query(max_length=128, pattern=CURSOR)] = None,
    ) -> JSONResponse:
        """The tenant's workspaces, newest first."""
        after = _place_of(cursor)
        page = await threaded(lambda: services.workspaces.store.page(key.tenant_id, after, limit))
        body: dict[str, Any] = {"workspaces": [view(each) for each in page.workspaces]}
        if page.last is not None:
            body["cursor"] = _cursor_of(page.last)
        return JSONResponse(body)

    @router.get(
        "/{workspace_id}", response_model=WorkspaceView, responses=documented(401, 403, 404, 429, 503)
    )
    async def get(workspace_id: str, key: Annotated[ApiKey, may_see]) -> JSONResponse:
        """One workspace."""
        return JSONResponse(
            view(await threaded(lambda: services.workspaces.get(key.tenant_id, _known_id(workspace_id))))
        )

    @router.delete("/{workspace_id}", status_code=204, responses=documented(401, 403, 404, 409, 429, 503))
    async def delete(workspace_id: str, key: Annotated[ApiKey, may_dispatch]) -> Response:
        """Delete a workspace that no running dispatch uses; no dispatch can name it any more.

        Its files stay on the tenant's file system, where nothing but the tenant's own workers can reach them.
        """
        await threaded(lambda: services.workspaces.store.delete(key.tenant_id, _known_id(workspace_id)))
        return Response(status_code=204)

    return router
