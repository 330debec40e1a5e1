"""Around every request: an id, one log line, a problem for what nobody caught; and the bound of its body."""

import re
import time
import traceback
from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from service import log
from service.application.audit import Audit
from service.problems import ProblemError, internal, render

MAX_BODY = 1024 * 1024  # a task and its context reach 400 KB in UTF-8
_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_QUIET = ("/health",)
_FORM = ("", "application/x-www-form-urlencoded")


class Around:
    """The outermost ASGI layer."""

    def __init__(self, app: ASGIApp, audit: Audit, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._app = app
        self._audit = audit
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = self._clock()
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state["headers"] = {"X-Request-Id": request_id}
        log.clear(requestId=request_id)
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                told = message.get("headers", [])
                said = {name for name, _ in told}  # by the answer itself, which knows better
                every = ((name.lower().encode(), value.encode()) for name, value in state["headers"].items())
                message["headers"] = [*told, *(each for each in every if each[0] not in said)]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:  # noqa: BLE001 - the last resort: the client gets a problem, the log the traceback
            log.exception(f"uncaught error\n{traceback.format_exc()}", event="uncaught-error")
            if not status:
                await render(internal(), request_id, scope["path"])(scope, receive, sending)
        finally:
            self._report(scope, status, begun)

    def _report(self, scope: Scope, status: int, begun: float) -> None:
        path = scope["path"]
        fields = {
            "event": "request",
            "method": scope["method"],
            "route": getattr(scope.get("route"), "path", path),
            "status": status,
            "durationMs": round((self._clock() - begun) * 1000, 1),
        }
        key = scope["state"].get("key")
        if key is not None:
            self._audit.record(
                key.tenant_id,
                f"{scope['method']} {fields['route']}",
                apiKeyId=key.api_key_id,
                path=log.redact(path)[:256],
                status=status,
                requestId=scope["state"]["request_id"],
            )
        if path in _QUIET:
            log.debug("request", **fields)
        else:
            log.info("request", **fields)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return str(ULID())


async def bounded(request: Request) -> Request:
    """The request with its body read, up to the bound; curl's `-d` without a content type is JSON too.

    Raises `ProblemError` (413, 400).
    """
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY:
        raise _too_large()
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise _too_large()
    except ClientDisconnect:
        raise ProblemError(400, "incomplete-body", "The connection ended before the body did.") from None
    scope = request.scope
    if body and request.headers.get("content-type", "") in _FORM:
        others = [each for each in scope["headers"] if each[0] != b"content-type"]
        scope["headers"] = [*others, (b"content-type", b"application/json")]
    return Request(scope, _replay(bytes(body), request.receive))


def _too_large() -> ProblemError:
    # The connection stays, and takes what still comes and drops it (service/protocol.py has the bounds): a
    # connection that is closed while its client sends is reset, and a load balancer makes a 502 of that.
    return ProblemError(413, "body-too-large", f"The body is larger than {MAX_BODY} bytes.")


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
