"""What a dispatch leaves: its log and its artifacts."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ValidationError
from starlette.responses import JSONResponse, Response

from outpost.dispatch import Status
from outpost.names import ARTIFACTS, MANIFEST
from service.application.log_reading import shown
from service.domain.job import Job
from service.domain.keys import ApiKey, Scope
from service.routers.access import GuardedRoute, KeyGate
from service.routers.dispatches import CURSOR, known_id
from service.routers.mapping import threaded
from service.routers.openapi import documented, headers
from service.routers.streams import Follow, Streams
from service.routers.workers import Artifact
from service.services import Services


class LineView(BaseModel):
    """One line of the log."""

    time: str
    level: str
    stream: str
    message: str


class LogView(BaseModel):
    """Lines, oldest first; read on with `cursor` until `complete`."""

    lines: list[LineView]
    status: Status
    complete: bool
    cursor: str | None = None


class ArtifactView(BaseModel):
    """A file and a URL to get it, good for 15 minutes. `size` in bytes, `sha256` in hex."""

    name: str
    url: str
    size: int | None = None
    sha256: str | None = None


class ArtifactList(BaseModel):
    """What the worker saved; nothing as long as it runs."""

    artifacts: list[ArtifactView]


def _file(entry: object) -> dict[str, Any] | None:
    """An entry of a manifest, which was written where the agent ran: read as a worker's report is."""
    try:
        return Artifact.model_validate(entry).model_dump()
    except ValidationError:
        return None


def make(services: Services) -> APIRouter:
    router = APIRouter(route_class=GuardedRoute, prefix="/dispatch/{dispatch_id}", tags=["dispatches"])
    may_see = Depends(KeyGate(services, Scope.STATUS))
    streams = Streams(services)

    def recorded(job: Job) -> list[dict[str, Any]]:
        """The artifacts of the job, or those of the manifest that a stopped worker still saved."""
        if job.artifacts or not job.status.terminal or job.task_arn is None:
            return [dict(each) for each in job.artifacts]
        data = services.artifacts.read(f"{job.dispatch_id}/{MANIFEST}", limit=64 * 1024)
        try:
            files = list(json.loads(data or b"{}")["files"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return []
        return [file for each in files if (file := _file(each)) and file["name"] in ARTIFACTS]

    @router.get(
        "/logs",
        response_model=LogView,
        responses=documented(401, 403, 404, 422, 429, 503)
        | {
            200: {
                "description": "Lines, or a stream of them",
                "headers": headers("Cache-Control", "X-Accel-Buffering", required=False),
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
    )
    async def logs(
        request: Request,
        dispatch_id: str,
        key: Annotated[ApiKey, may_see],
        cursor: Annotated[str | None, Query(max_length=1024, pattern=CURSOR)] = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
        follow: Annotated[bool, Query(description="Server-sent events until the dispatch ends")] = False,
        last_event_id: Annotated[str | None, Header(max_length=1024)] = None,
    ) -> Response:
        """The log from the cursor on; also after CloudWatch has dropped it."""
        if follow:
            job = await threaded(lambda: services.dispatches.get(key.tenant_id, known_id(dispatch_id)))
            wanted = Follow(
                tenant_id=key.tenant_id,
                dispatch_id=job.dispatch_id,
                presented_key=request.state.presented_key,
                last_event_id=last_event_id,
            )
            return await threaded(lambda: streams.response(wanted))

        def read() -> dict[str, Any]:
            job = services.dispatches.get(key.tenant_id, known_id(dispatch_id))
            page = services.logs.page(job, cursor, limit)
            body: dict[str, Any] = {
                "lines": [shown(line) for line in page.lines],
                "status": job.status,
                "complete": page.complete,
            }
            return body if page.cursor is None else body | {"cursor": page.cursor}

        return JSONResponse(await threaded(read))

    @router.get("/artifacts", response_model=ArtifactList, responses=documented(401, 403, 404, 429, 503))
    async def artifacts(dispatch_id: str, key: Annotated[ApiKey, may_see]) -> JSONResponse:
        """Download URLs of what the dispatch left."""

        def read() -> list[dict[str, Any]]:
            job = services.dispatches.get(key.tenant_id, known_id(dispatch_id))
            return [
                {
                    **{name: each[name] for name in ("name", "size", "sha256") if name in each},
                    "url": services.artifacts.download_url(f"{job.dispatch_id}/{each['name']}"),
                }
                for each in recorded(job)
            ]

        return JSONResponse({"artifacts": await threaded(read)})

    return router
