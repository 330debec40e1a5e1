"""The route of idle workers: wait for a dispatch, and get its assignment with the token for it."""

import asyncio
import contextlib
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from outpost import worker_protocol
from outpost.agents import Agent
from service.domain.pool import Slot, agent_of
from service.domain.tokens import WorkerIdentity
from service.problems import ProblemError
from service.routers.access import GuardedRoute, WorkerGate
from service.routers.mapping import threaded
from service.routers.openapi import WORKERS, answering, documented
from service.routers.workers import Assignment
from service.services import Services

LOOK_SECONDS = 1.0  # between two looks for a lease that another replica has written


class Question(BaseModel):
    """An idle worker asks for a dispatch."""

    model_config = ConfigDict(strict=True)

    slot: Annotated[str, Field(min_length=1, max_length=64)]


class Lease(BaseModel):
    """A dispatch, and the token that is good for its attempt."""

    token: str
    assignment: Assignment


def make(services: Services) -> APIRouter:
    router = APIRouter(route_class=GuardedRoute, tags=[WORKERS])
    identity = Depends(WorkerGate(services))
    pool = services.pool

    @router.post(
        worker_protocol.LEASE_ROUTE,
        response_model=Lease,
        responses=documented(400, 401, 403, 409, 410, 413, 422, 503)
        | answering(200, "Cache-Control")
        | {204: {"description": "None yet: ask again"}},
    )
    async def lease(body: Question, caller: Annotated[WorkerIdentity, identity]) -> Response:
        """200 with a dispatch, 204 for none yet, 410 for an idle worker that is not wanted any more."""
        agent = agent_of(caller.tenant_id)
        if agent is None or caller.dispatch_id != body.slot:
            raise ProblemError(403, "not-a-pool-worker", "This token is not of an idle worker.")
        slot = await _leased(services, agent, body.slot)
        if slot is None:
            raise ProblemError(410, "slot-gone", "This idle worker is not wanted any more.")
        owner = worker_protocol.parse_started_by(slot.leased_to)
        if owner is None:
            return Response(status_code=204)
        attempt = WorkerIdentity(*owner)
        assignment = await threaded(lambda: services.assignments.claim(attempt))
        answer = {"token": services.tokens.issue(attempt), "assignment": assignment}
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    async def _leased(services: Services, agent: Agent, slot: str) -> Slot | None:
        """The slot once it is leased, or as it is when the wait is over; None when it is gone."""
        loop = asyncio.get_running_loop()
        mark: asyncio.Future[str] = loop.create_future()

        def lease(leased_to: str) -> None:
            if not mark.done():
                mark.set_result(leased_to)

        pool.wait_here(slot, lambda leased_to: loop.call_soon_threadsafe(lease, leased_to))
        try:
            found = await threaded(lambda: pool.ask(agent, slot))
            end = loop.time() + worker_protocol.LEASE_WAIT
            while found is not None and found.idle and loop.time() < end and not services.stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    leased_to = await asyncio.wait_for(asyncio.shield(mark), LOOK_SECONDS)
                    return replace(found, leased_to=leased_to)
                found = await threaded(lambda: pool.look(agent, slot))
            return found
        finally:
            pool.leave(slot)

    return router
