"""`POST /promote`: a dispatch's changes become a branch and, on request, a pull request."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from outpost.errors import OutpostError
from service.application.promoting import PromotionRequest
from service.domain.keys import ApiKey, Scope
from service.domain.requests import BRANCH, branch_is_valid
from service.problems import ProblemError
from service.routers.access import GuardedRoute, KeyGate
from service.routers.dispatches import known_id, storable
from service.routers.mapping import threaded
from service.routers.openapi import documented
from service.services import Services
from service.turns import Turns

BRANCH_LENGTH = 200
AT_ONCE = 2  # git runs for minutes at worst, on threads and memory that all routes share
WAITING = 20  # promotions of one tenant that wait for their turn here
_STATUS = {"git-failed": 502, "git-timeout": 502, "github-unavailable": 502, "pull-request-refused": 502}


class PromoteBody(BaseModel):
    """What to promote, and to where. Without `branch` it is `outpost/DISPATCH_ID`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    dispatchId: Annotated[str, Field(min_length=1, max_length=64)]  # noqa: N815 - the API's spelling
    branch: Annotated[str | None, Field(max_length=BRANCH_LENGTH, pattern=BRANCH)] = None
    base: Annotated[str | None, Field(max_length=BRANCH_LENGTH, pattern=BRANCH)] = None
    pullRequest: bool = False  # noqa: N815
    title: Annotated[str | None, Field(min_length=1, max_length=256)] = None
    body: Annotated[str | None, Field(max_length=20_000)] = None


class PullRequestView(BaseModel):
    """A pull request on GitHub."""

    number: int
    url: str


class Promotion(BaseModel):
    """Where the changes are now."""

    branch: str
    base: str
    commit: str
    at: str
    pullRequest: PullRequestView | None = None  # noqa: N815


def make(services: Services) -> APIRouter:
    router = APIRouter(route_class=GuardedRoute, tags=["promotion"])
    at_once = asyncio.Semaphore(AT_ONCE)
    # One of each tenant stands in the line: whoever asks for many waits for them, not everybody else.
    turns = Turns(1)
    asked: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(tenant_id: str) -> AsyncIterator[None]:
        if asked[tenant_id] > WAITING:
            raise ProblemError(
                429,
                "too-many-promotions",
                f"{WAITING} promotions of the tenant wait already.",
                remedy="Try again when some of them are answered.",
                headers={"Retry-After": "30"},
            )
        asked[tenant_id] += 1
        try:
            async with turns.of(tenant_id), at_once:
                yield
        finally:
            asked[tenant_id] -= 1
            if not asked[tenant_id]:
                del asked[tenant_id]

    @router.post(
        "/promote",
        response_model=Promotion,
        responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 502, 503),
    )
    async def promote(
        body: PromoteBody, key: Annotated[ApiKey, Depends(KeyGate(services, Scope.PROMOTE))]
    ) -> JSONResponse:
        """Push the changes to a new branch. Asked again, it answers the same; nothing is ever forced."""
        for name in (body.branch, body.base):
            if name is not None and not branch_is_valid(name):
                raise ProblemError(422, "invalid-request", f"{name}: not a branch name that git allows")
        if not storable((body.title or "") + (body.body or "")):
            raise ProblemError(422, "invalid-request", "body.title: not valid Unicode")
        request = PromotionRequest(
            branch=body.branch or f"outpost/{body.dispatchId.lower()}",
            pull_request=body.pullRequest,
            base=body.base,
            title=body.title,
            body=body.body,
        )
        try:
            async with turn(key.tenant_id):
                record = await threaded(
                    lambda: services.promoting.promote(key.tenant_id, known_id(body.dispatchId), request)
                )
        except ProblemError:
            raise
        except OutpostError as error:
            status = _STATUS.get(error.code, 409)
            raise ProblemError(status, error.code, error.message, remedy=error.remedy) from error
        return JSONResponse(record)

    return router
