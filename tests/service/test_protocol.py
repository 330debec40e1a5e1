"""What a client can do to a connection, by a server on a socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from service import protocol
from service.protocol import BoundedProtocol

HOST = "127.0.0.1"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        if scope["path"] == "/read":
            while (await receive()).get("more_body"):
                pass
        await PlainTextResponse("hello")(scope, receive, send)


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[int]:
    config = uvicorn.Config(
        app, host=HOST, port=0, http=BoundedProtocol, ws="none", log_config=None, timeout_keep_alive=1
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await running


async def answer(port: int, *parts: bytes, repeated: bytes = b"", times: int = 0) -> bytes:
    """What the server says until it ends the connection, or for two seconds after the last byte."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        with contextlib.suppress(ConnectionError):
            for part in (*parts, *(repeated for _ in range(times))):
                writer.write(part)
                await writer.drain()
        found = b""
        with contextlib.suppress(ConnectionError):
            while part := await asyncio.wait_for(reader.read(65536), 5):
                found += part
        return found
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("begun", "repeated"),
    [
        (GET + b"X-Long: ", b"a" * 65536),
        (GET, b"X-Many: 1\r\n" * 5000),
        (b"GET /", b"a" * 65536),
    ],
)
def test_an_endless_head_is_cut(begun: bytes, repeated: bytes) -> None:
    async def attack() -> bytes:
        async with served() as port:
            return await answer(port, begun, repeated=repeated, times=200)

    found = asyncio.run(attack())
    assert found == b"" or found.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))


def test_endless_trailers_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_REST", 200_000)
    begun = b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"

    async def attack() -> bytes:
        async with served() as port:
            return await answer(port, begun, repeated=b"X-Many: 1\r\n" * 5000, times=200)

    assert b"200 OK" not in asyncio.run(attack())


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET / HT", GET, b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"],
)
def test_a_request_that_does_not_go_on_is_ended(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    monkeypatch.setattr(protocol, "REST_SECONDS", 0.1)

    async def attack() -> bytes:
        async with served() as port:
            return await answer(port, *([begun] if begun else []))

    assert b"200 OK" not in asyncio.run(attack())


def test_a_drip_does_not_keep_a_head_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)

    async def attack() -> bool:
        async with served() as port:
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(GET)
            for _ in range(500):
                writer.write(b"X: y\r\n")
                with contextlib.suppress(TimeoutError, ConnectionError):
                    await asyncio.wait_for(reader.read(1), 0.02)
                if reader.at_eof() or reader.exception() is not None:
                    return True
            return False

    assert asyncio.run(attack())


def test_one_address_has_a_bounded_number_of_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 2)

    async def attack() -> tuple[bytes, bytes]:
        async with served() as port:
            held = [await asyncio.open_connection(HOST, port) for _ in range(2)]
            request = GET + b"Connection: close\r\n\r\n"
            refused = await answer(port, request)
            for _, writer in held:
                writer.close()
                await writer.wait_closed()
            while BoundedProtocol.open_by_address:
                await asyncio.sleep(0.01)
            return refused, await answer(port, request)

    refused, served_again = asyncio.run(attack())
    assert refused == b""
    assert served_again.endswith(b"hello")


def test_who_sends_far_too_much_before_reading_is_still_answered() -> None:
    begun = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n"

    async def ask() -> bytes:
        async with served() as port:
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(begun)
            for _ in range(160):
                writer.write(b"a" * 65536)
                await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            return head

    assert asyncio.run(ask()).startswith(b"HTTP/1.1 200")


def test_requests_within_the_bounds_are_answered_one_after_another() -> None:
    post = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    last = GET + b"X-Long: " + b"a" * 60_000 + b"\r\nConnection: close\r\n\r\n"

    async def ask() -> bytes:
        async with served() as port:
            return await answer(port, GET + b"\r\n", post, post + post, last)

    assert asyncio.run(ask()).count(b"hello") == 5
