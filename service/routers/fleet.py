"""`/health` and `/fleet`: answered from memory, no AWS call on the request path."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import JSONResponse

from outpost import VERSION
from outpost.agents import AGENTS, Agent
from service.domain.keys import ApiKey, Scope
from service.domain.times import iso
from service.routers.access import GuardedRoute, KeyGate
from service.routers.openapi import documented
from service.services import Services


class Health(BaseModel):
    """`degraded`: a dependency did not answer at the last look; `checks` names it. Uptime in seconds."""

    status: Literal["healthy", "degraded"]
    version: str
    uptime: float
    checks: dict[str, str]


class AgentView(BaseModel):
    """Whether the agent can be dispatched to and, if not, why."""

    agent: Agent
    available: bool
    tier: str
    memory: int
    reason: str | None = None
    runbook: str | None = None


class FleetView(BaseModel):
    """The fleet at the last look."""

    agents: list[AgentView]
    queued: int
    replicas: int
    checkedAt: str | None = None  # noqa: N815 - the API's spelling


def make(services: Services) -> APIRouter:
    router = APIRouter(route_class=GuardedRoute, tags=["operations"])
    started = services.clock()

    @router.get("/health", response_model=Health)
    async def health() -> JSONResponse:
        """Whether this replica serves. Needs no key."""
        status, checks = services.fleet.health()
        uptime = round(services.clock() - started, 3)
        return JSONResponse({"status": status, "version": VERSION, "uptime": uptime, "checks": dict(checks)})

    @router.get(
        "/fleet",
        response_model=FleetView,
        responses=documented(401, 403, 429, 503),
        response_model_exclude_none=True,
    )
    async def fleet(key: Annotated[ApiKey, Depends(KeyGate(services, Scope.STATUS))]) -> JSONResponse:
        """Every agent, and why it is not available if it is not."""
        state = services.fleet.state
        agents: list[dict[str, Any]] = []
        for agent, found in state.agents.items():
            tier = AGENTS[agent].tier
            shown: dict[str, Any] = {
                "agent": agent,
                "available": found.available,
                "tier": tier.name,
                "memory": tier.memory,
            }
            if found.reason:
                shown["reason"] = found.reason
            if found.cause:
                shown["runbook"] = f"{found.issue}/{found.cause}"
            agents.append(shown)
        body: dict[str, Any] = {
            "agents": agents,
            "queued": state.queue_depth + services.launcher.backlog(),
            "replicas": state.replicas,
        }
        if state.checked_at:
            body["checkedAt"] = iso(state.checked_at)
        return JSONResponse(body)

    return router
