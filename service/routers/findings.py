"""`GET /findings`: what the operator's last published diagnosis found (ADR 0044). Computed elsewhere."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import JSONResponse

from service.domain.keys import ApiKey, Scope
from service.problems import ProblemError
from service.routers.access import GuardedRoute, KeyGate
from service.routers.mapping import threaded
from service.routers.openapi import documented
from service.services import Services

PUBLISHED = "findings/latest.json"  # written by `./inv diagnose --publish`
# Evidence and summaries may name other tenants' dispatches, so they are not shown.
HEAD = ("schemaVersion", "stack", "verdict", "checked", "publishedAt")
SHOWN = ("issue", "cause", "verdict", "rank", "title", "solution", "explains")


class Finding(BaseModel):
    """One cause that was found, in the guide's terms."""

    issue: str
    cause: str
    verdict: str
    rank: int
    title: str
    solution: str
    explains: list[str]


class Findings(BaseModel):
    """The last published diagnosis of the stack."""

    schemaVersion: int  # noqa: N815 - the API's spelling
    stack: str
    verdict: str
    checked: int
    publishedAt: str  # noqa: N815
    findings: list[Finding]


def make(services: Services) -> APIRouter:
    router = APIRouter(route_class=GuardedRoute, tags=["operations"])

    def read() -> dict[str, Any]:
        data = services.artifacts.read(PUBLISHED)
        if data is None:
            raise ProblemError(
                404, "no-findings", "No diagnosis was published.", remedy="Run ./inv diagnose --publish."
            )
        report = json.loads(data)
        head = {name: report[name] for name in HEAD}
        return head | {"findings": [{name: found[name] for name in SHOWN} for found in report["findings"]]}

    @router.get("/findings", response_model=Findings, responses=documented(401, 403, 404, 429, 503))
    async def findings(key: Annotated[ApiKey, Depends(KeyGate(services, Scope.ADMIN))]) -> JSONResponse:
        """What was wrong with the stack at the last look."""
        return JSONResponse(await threaded(read))

    return router
