"""A dispatch's log as server-sent events: lines as they come, resumable by `Last-Event-ID`."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from outpost.dispatch import Status
from service import log
from service.application.authentication import InvalidKeyError
from service.application.log_reading import LinePage, event_id, place_of_event, shown
from service.domain.job import Job
from service.domain.rates import TokenBucket
from service.problems import ProblemError, render
from service.routers.mapping import problem_of, threaded
from service.services import Services

POLL_SECONDS = (0.5, 5.0)  # between reads: while lines come, and when it is quiet
KEEPALIVE_SECONDS = 15  # well below the load balancer's idle timeout
# GetLogEvents: 25/s for the account (10/s in several regions), shared by all followers and replicas.
READS_PER_SECOND = 5
PAGE = 1000
PER_TENANT = 20  # streams of one tenant on one replica: together they read about four times a second
STREAM_RETRY_SECONDS = 5
SETTLE_READS = 3  # after the end: CloudWatch shows the last lines a moment later


@dataclass(frozen=True, kw_only=True)
class Follow:
    """Which log, for whom, from where."""

    tenant_id: str
    dispatch_id: str
    presented_key: str
    last_event_id: str | None


class Streams:
    """Makes the streams of one process, which share one rate of reads."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._open: Counter[str] = Counter()
        self._reads = TokenBucket(READS_PER_SECOND, READS_PER_SECOND * 2, services.clock())

    def response(self, follow: Follow) -> StreamingResponse:
        """Raises `BadCursorError` for an id that was not given out here."""
        cursor, skip = place_of_event(follow.last_event_id)
        return _Counted(self._open, follow.tenant_id, self._closed_in_the_end(follow, cursor, skip))

    async def _closed_in_the_end(self, follow: Follow, cursor: str | None, skip: int) -> AsyncIterator[str]:
        async with aclosing(self._events(follow, cursor, skip)) as events:
            async for event in events:
                yield event

    async def _events(self, follow: Follow, cursor: str | None, skip: int) -> AsyncGenerator[str]:
        yield "retry: 1000\n\n"
        pause, quiet, settled = POLL_SECONDS[0], 0.0, 0
        while not self._services.stopping.is_set():
            try:
                job, page = await self._read(follow, cursor)
            except ProblemError as problem:
                yield _event("error", {"code": problem.code, "detail": problem.message})
                return
            fresh = page.lines[skip:]
            for n, line in enumerate(fresh, start=skip + 1):
                yield _event("log", dict(shown(line)), event_id(cursor, n))
            if page.cursor is not None and page.cursor != cursor:
                cursor, skip = page.cursor, 0
            else:
                skip = max(skip, len(page.lines))
            if fresh:
                pause, quiet, settled = POLL_SECONDS[0], 0.0, 0
            elif page.complete:
                settled += 1
                if settled >= SETTLE_READS:
                    yield _event("end", {"status": job.status}, event_id(cursor, skip))
                    return
            else:
                pause = min(POLL_SECONDS[1], pause * 1.5)
            if quiet >= KEEPALIVE_SECONDS:
                yield ": keepalive\n\n"
                quiet = 0.0
            await asyncio.sleep(pause)
            quiet += pause
        # This replica stops; the client's EventSource reconnects to another and resumes.

    async def _read(self, follow: Follow, cursor: str | None) -> tuple[Job, LinePage]:
        """The job and its next lines. A key that was revoked meanwhile ends the stream."""
        services = self._services
        while wait := self._reads.take(services.clock()):
            await asyncio.sleep(wait)

        def read() -> tuple[Job, LinePage]:
            try:
                services.authentication.look_up(follow.presented_key)
            except InvalidKeyError as error:
                raise ProblemError(401, error.code, "Invalid API key") from error
            job = services.dispatches.get(follow.tenant_id, follow.dispatch_id)
            return job, services.logs.page(job, cursor, PAGE)

        try:
            return await threaded(read)
        except ProblemError:
            raise
        except Exception as error:
            log.exception("log stream failed", event="uncaught-error")
            raise problem_of(error) or ProblemError(500, "internal-error", "The stream failed.") from error


class _Counted(StreamingResponse):
    """A stream that counts as its tenant's while it is open; one too many is refused with 429.

    Both on the event loop with nothing awaited in between, so that many requests at once are not let by.
    """

    def __init__(self, streams: Counter[str], tenant_id: str, events: AsyncIterator[str]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._streams = streams
        self._tenant_id = tenant_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._streams[self._tenant_id] >= PER_TENANT:
            problem = ProblemError(
                429,
                "too-many-streams",
                f"The tenant follows {PER_TENANT} logs already.",
                remedy="End a stream, or read the log by cursor.",
                headers={"Retry-After": "5"},
            )
            await render(problem, scope["state"]["request_id"], scope["path"])(scope, receive, send)
            return
        self._streams[self._tenant_id] += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams[self._tenant_id] -= 1
            if not self._streams[self._tenant_id]:
                del self._streams[self._tenant_id]


def _event(kind: str, data: dict[str, str] | dict[str, Status], identity: str | None = None) -> str:
    head = f"id: {identity}\n" if identity is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
