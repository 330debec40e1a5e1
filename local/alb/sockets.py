"""Sockets for the load balancer's connections to targets, read to the end also when writing has failed.

A target may answer before it has read the whole request, and close: what it said must be passed on. The
streams of asyncio drop what has arrived when a write fails; the socket itself does not.
"""

import asyncio
import select
import socket
from collections.abc import Iterable
from typing import Any

import httpcore


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return await asyncio.wait_for(self._loop.sock_recv(self._connection, max_bytes), timeout)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            await asyncio.wait_for(self._loop.sock_sendall(self._connection, buffer), timeout)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        self._connection.close()

    def get_extra_info(self, info: str) -> Any:
        """`is_readable`: there is something to read; of an idle connection that means it was closed."""
        if info != "is_readable":
            return None
        return _readable(self._connection)


def _readable(connection: socket.socket) -> bool:
    if connection.fileno() < 0:
        return True
    watch = select.poll()  # unlike select, for any number of descriptors
    watch.register(connection, select.POLLIN)
    return bool(watch.poll(0))


class Sockets(httpcore.AsyncNetworkBackend):
    """Plain TCP connections."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            loop = asyncio.get_running_loop()
            await asyncio.wait_for(loop.sock_connect(connection, (host, port)), timeout)
        except TimeoutError as error:
            connection.close()
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            connection.close()
            raise httpcore.ConnectError(str(error)) from error
        return _Stream(connection)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
