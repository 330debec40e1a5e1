"""One request through the load balancer: forwarded, streamed back, or answered as AWS answers errors."""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import httpcore

from local.alb.sockets import Sockets
from local.alb.targets import Target, Targets
from local.aws.metrics import Metrics
from local.cloudwatch.series import Dimensions
from local.fargate.addresses import Addresses

CONNECT_TIMEOUT = (
    10.0  # seconds (Elastic Load Balancing: HTTP 504, "within the connection timeout (10 seconds)")
)
MAX_LINE, MAX_HEAD = 16 * 1024, 64 * 1024  # bytes of a request line or one header, and of all of them
KEEP_ALIVE = 30.0  # seconds for which an idle connection to a target is kept
IDLE_TIMEOUT = 60.0  # seconds, the load balancer's default
HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"te", b"trailer", b"proxy-connection"}
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Route:
    """A load balancer and the target group that its requests go to, both moto's."""

    balancer: Any
    group: Any

    @property
    def dimensions(self) -> Dimensions:
        return (
            ("TargetGroup", self.group.arn.rsplit(":", 1)[-1]),
            ("LoadBalancer", self.balancer.arn.split("loadbalancer/", 1)[-1]),
        )

    @property
    def idle_timeout(self) -> float:
        return float(self.balancer.attrs.get("idle_timeout.timeout_seconds") or IDLE_TIMEOUT)


def refusal(scope: Scope) -> tuple[int, str] | None:
    """Status and reason for a request that the load balancer itself does not take.

    Elastic Load Balancing: 16 K a request line or header, 64 K all headers; HTTP 400, and 414 for a
    URL that is too long. HTTP/1.1 needs a Host.
    """
    line = len(scope["method"]) + len(scope["raw_path"]) + len(scope["query_string"]) + len("  HTTP/1.1")
    if line > MAX_LINE:
        return 414, "Request-URI Too Large"
    sizes = [len(name) + len(value) + len(": ") for name, value in scope["headers"]]
    if max(sizes, default=0) > MAX_LINE or line + sum(sizes) > MAX_HEAD:
        return 400, "Bad Request"
    named = any(name == b"host" for name, _ in scope["headers"])
    return None if named or scope["http_version"] != "1.1" else (400, "Bad Request")


class Forwarder:
    """An ASGI application. WebSocket upgrades are refused."""

    def __init__(
        self, route: Callable[[], Route | None], targets: Targets, addresses: Addresses, metrics: Metrics
    ) -> None:
        self._route = route
        self._targets = targets
        self._turn = itertools.count()
        self._addresses = addresses
        self._metrics = metrics
        self._upstream = httpcore.AsyncConnectionPool(
            max_connections=None,
            max_keepalive_connections=100,
            keepalive_expiry=KEEP_ALIVE,
            network_backend=Sockets(),
        )

    async def close(self) -> None:
        await self._upstream.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        route = self._route()
        if refused := refusal(scope):
            await self._refuse(send, route, *refused)
            return
        target = self._targets.take(route.group.arn, next(self._turn)) if route else None
        if route is None or target is None:
            await self._refuse(send, route, 503, "Service Temporarily Unavailable")
            return
        try:
            await self._forward(scope, receive, send, route, target)
        finally:
            self._targets.release(target)

    async def _forward(
        self, scope: Scope, receive: Receive, send: Send, route: Route, target: Target
    ) -> None:
        started = time.perf_counter()
        self._count(route, "RequestCount", 1)
        timeout = route.idle_timeout
        request = httpcore.Request(
            scope["method"],
            httpcore.URL(
                scheme=b"http",
                host=self._addresses.of(target.address).encode(),
                port=target.port,
                target=scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b""),
            ),
            headers=_forwarded(scope),
            content=_body(scope, receive),
            extensions={
                "timeout": {"connect": CONNECT_TIMEOUT, "read": timeout, "write": timeout, "pool": None}
            },
        )
        try:
            answer = await self._upstream.handle_async_request(request)
        except httpcore.TimeoutException:
            await self._refuse(send, route, 504, "Gateway Time-out")
            return
        except (httpcore.NetworkError, httpcore.ProtocolError):
            await self._refuse(send, route, 502, "Bad Gateway")
            return
        self._count(route, "TargetResponseTime", time.perf_counter() - started, "Seconds")
        self._count(route, f"HTTPCode_Target_{answer.status // 100}XX_Count", 1)
        headers = [(name.lower(), value) for name, value in answer.headers if name.lower() not in HOP_BY_HOP]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        passing = asyncio.ensure_future(_pass_on(answer, send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not passing.done():
                return  # the client went away: the target is told by the closed connection
            passing.result()
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            # The head has gone out already: the connection is cut, as on AWS.
            raise ConnectionResetError("the target closed the connection") from None
        finally:
            passing.cancel()
            leaving.cancel()
            await asyncio.gather(passing, leaving, return_exceptions=True)
            await answer.aclose()
        await send({"type": "http.response.body", "body": b""})

    async def _refuse(self, send: Send, route: Route | None, status: int, title: str) -> None:
        if route:
            balancer = route.dimensions[1:]
            one = [f"HTTPCode_ELB_{status}_Count"] if status >= 500 else []  # CloudWatch has none for 4xx
            for name in (f"HTTPCode_ELB_{status // 100}XX_Count", *one):
                self._metrics.record("AWS/ApplicationELB", name, balancer, 1, "Count")
        page = (
            f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
            f"<center><h1>{status} {title}</h1></center>\r\n</body>\r\n</html>\r\n"
        ).encode()
        headers = [
            (b"server", b"awselb/2.0"),
            (b"content-type", b"text/html"),
            (b"content-length", str(len(page)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": page})

    def _count(self, route: Route, name: str, value: float, unit: str = "Count") -> None:
        for dimensions in (route.dimensions, route.dimensions[1:]):
            self._metrics.record("AWS/ApplicationELB", name, dimensions, value, unit)


async def _pass_on(answer: httpcore.Response, send: Send) -> None:
    async for chunk in answer.aiter_stream():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _left(receive: Receive) -> None:
    """Until the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        """What is left of the body."""


def _forwarded(scope: Scope) -> list[tuple[bytes, bytes]]:
    headers = [(name, value) for name, value in scope["headers"] if name not in HOP_BY_HOP]
    client = (scope.get("client") or ("127.0.0.1", 0))[0].encode()
    before = b", ".join(value for name, value in headers if name == b"x-forwarded-for")
    replaced = {b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-port"}
    headers = [(name, value) for name, value in headers if name not in replaced]
    headers += [
        (b"x-forwarded-for", before + b", " + client if before else client),
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-port", str((scope.get("server") or ("", 80))[1]).encode()),
    ]
    if any(name == b"transfer-encoding" for name, _ in scope["headers"]):  # chunked here: chunked there
        headers.append((b"transfer-encoding", b"chunked"))
    if not any(name == b"x-amzn-trace-id" for name, _ in headers):
        unique = uuid.uuid4().hex
        headers.append((b"x-amzn-trace-id", f"Root=1-{int(time.time()):08x}-{unique[:24]}".encode()))
    return headers


def _body(scope: Scope, receive: Receive) -> AsyncIterator[bytes] | bytes:
    names = {name for name, _ in scope["headers"]}
    return _stream(receive) if names & {b"content-length", b"transfer-encoding"} else b""


async def _stream(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise httpcore.WriteError("the client went away")
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return
