"""The workers' routes. The token says which attempt of which dispatch is calling; the body never does.

They are in the OpenAPI document, so that a fuzzer reads them too: an agent runs beside the token.
"""

import re
from base64 import b64encode
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from outpost import worker_protocol
from outpost.agents import Agent
from outpost.dispatch import Status
from outpost.names import ARTIFACTS, MANIFEST
from service.application.assignments import UploadRequest
from service.domain.tokens import WorkerIdentity
from service.routers.access import GuardedRoute, WorkerGate
from service.routers.dispatches import WHOLE
from service.routers.mapping import threaded
from service.routers.openapi import WORKERS, answering, documented
from service.services import Services

MAX_UPLOAD = 5 * 1024**3  # S3: one PUT
MOST = 10**12  # files or lines; DynamoDB refuses numbers of over 38 digits
STRICT = ConfigDict(strict=True)  # `true` is no number
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
_UPLOADED = "|".join(re.escape(each) for each in (*ARTIFACTS, MANIFEST))
Size = Annotated[int, Field(ge=0, le=MAX_UPLOAD), WHOLE]
Number = Annotated[int, Field(ge=0, le=MOST), WHOLE]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class File(BaseModel):
    """A file to upload: `size` in bytes, `sha256` in hex."""

    model_config = STRICT

    name: Annotated[str, Field(pattern=f"^(?:{_UPLOADED})$")]
    size: Size
    sha256: Sha256
    contentType: Annotated[str, Field(pattern=r"^[\w.+/;= -]{1,100}$")] = "application/octet-stream"  # noqa: N815


class Uploads(BaseModel):
    """The files that the worker wants to leave."""

    model_config = STRICT

    files: Annotated[list[File], Field(max_length=20)]


class Cause(BaseModel):
    """Why it failed, in the guide's terms."""

    model_config = STRICT

    code: Annotated[str, Field(max_length=100)] = ""
    issue: Annotated[str, Field(max_length=100)] = ""
    cause: Annotated[str, Field(max_length=100)] = ""
    summary: Annotated[str, Field(max_length=4000)] = ""
    remedy: Annotated[str, Field(max_length=4000)] = ""


class Changes(BaseModel):
    """The size of the patch."""

    model_config = STRICT

    files: Number = 0
    insertions: Number = 0
    deletions: Number = 0


class Artifact(BaseModel):
    """A file that was uploaded."""

    model_config = STRICT

    name: Name
    size: Size
    sha256: Sha256


class Result(BaseModel):
    """How the agent ended. More may be sent than is kept."""

    model_config = ConfigDict(extra="ignore", strict=True)

    exitCode: Annotated[int, Field(ge=0, le=255), WHOLE]  # noqa: N815 - the protocol's spelling
    reason: Cause | None = None
    summary: Annotated[str | None, Field(max_length=10_000)] = None
    changes: Changes | None = None
    artifacts: Annotated[list[Artifact], Field(max_length=20)] = Field(default_factory=list)


class Assignment(BaseModel):
    """What an attempt is to do. `deadlineAt` in epoch seconds; `rehearsal` is the local region's."""

    dispatchId: str  # noqa: N815
    attempt: int
    agent: Agent
    model: str | None
    task: str
    context: str | None
    repository: str | None
    branch: str | None
    timeoutSeconds: int  # noqa: N815
    deadlineAt: int  # noqa: N815
    workspace: str
    workspaceId: str | None  # noqa: N815
    gitToken: str | None  # noqa: N815
    rehearsal: str | None


class Upload(BaseModel):
    """Where to PUT a file, and the headers that the PUT must carry."""

    name: str
    url: str
    headers: dict[str, str]


class UploadList(BaseModel):
    """One for each file that was asked for."""

    uploads: list[Upload]


class Ended(BaseModel):
    """What the dispatch is now."""

    status: Status


class Beat(BaseModel):
    """Whether the worker is to stop."""

    cancel: bool


def _hex_to_base64(digest: str) -> str:
    return b64encode(bytes.fromhex(digest)).decode()


def make(services: Services) -> APIRouter:
    router = APIRouter(route_class=GuardedRoute, tags=[WORKERS])
    identity = Depends(WorkerGate(services))

    plain = documented(401, 409, 503)
    with_body = documented(400, 401, 409, 413, 422, 503)
    secret = answering(200, "Cache-Control")

    @router.post(worker_protocol.CLAIM_ROUTE, response_model=Assignment, responses=plain | secret)
    async def claim(caller: Annotated[WorkerIdentity, identity]) -> JSONResponse:
        """What this attempt is to do; from now on the dispatch is RUNNING."""
        assignment = await threaded(lambda: services.assignments.claim(caller))
        return JSONResponse(assignment, headers={"Cache-Control": "no-store"})

    @router.post(worker_protocol.UPLOADS_ROUTE, response_model=UploadList, responses=with_body | secret)
    async def uploads(body: Uploads, caller: Annotated[WorkerIdentity, identity]) -> JSONResponse:
        """A presigned PUT for each file, below this dispatch's own prefix."""
        files = [
            UploadRequest(
                name=file.name,
                size=file.size,
                sha256=_hex_to_base64(file.sha256),
                content_type=file.contentType,
            )
            for file in body.files
        ]
        made: list[dict[str, Any]] = await threaded(lambda: services.assignments.uploads(caller, files))
        return JSONResponse({"uploads": made}, headers={"Cache-Control": "no-store"})

    @router.post(worker_protocol.RESULT_ROUTE, response_model=Ended, responses=with_body)
    async def result(body: Result, caller: Annotated[WorkerIdentity, identity]) -> JSONResponse:
        """The end of the attempt, and so of the dispatch."""
        job = await threaded(
            lambda: services.assignments.finish(
                caller,
                exit_code=body.exitCode,
                reason=body.reason.model_dump() if body.reason else None,
                summary=body.summary,
                changes=body.changes.model_dump() if body.changes else None,
                artifacts=[each.model_dump() for each in body.artifacts],
            )
        )
        return JSONResponse({"status": job.status})

    @router.post("/worker/heartbeat", response_model=Beat, responses=plain)
    async def heartbeat(caller: Annotated[WorkerIdentity, identity]) -> JSONResponse:
        """Whether to go on."""
        return JSONResponse({"cancel": await threaded(lambda: services.assignments.heartbeat(caller))})

    return router
