"""HTTP/1.1 with bounds. Workers reach a replica without the load balancer, and agents are hostile code: what
the load balancer would refuse (endless headers, requests that never end) must be refused here, too.
"""

import asyncio
from collections import Counter
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# The load balancer's own: "Quotas for your Application Load Balancers", the whole head of a request.
MAX_HEAD = 64 * 1024
# On the wire: what chunks and trailers add to a body, and what is dropped of one that was refused already.
MAX_REST = 32 * 1024 * 1024
HEAD_SECONDS = 20.0  # from the first byte of a request to the end of its headers
REST_SECONDS = 60.0  # from there to the end of its body
# Of one address: a worker needs two, a node of the load balancer some hundreds.
MAX_CONNECTIONS = 2000

_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedProtocol(HttpToolsProtocol):
    """One connection. What breaks a bound ends it."""

    open_by_address: ClassVar[Counter[str]] = Counter()

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._in_head = True
        self._received = 0  # of the head, or of the rest, that is being received
        self._overdue: asyncio.TimerHandle | None = None
        self._address: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if self.open_by_address[address] >= MAX_CONNECTIONS:
            transport.abort()
            return
        self._address = address
        self.open_by_address[address] += 1
        self._end_after(self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_after(None)
        if self._address is not None:
            self.open_by_address[self._address] -= 1
            if not self.open_by_address[self._address]:
                del self.open_by_address[self._address]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head and not self._received:
            self._end_after(HEAD_SECONDS)
        self._received += len(data)
        super().data_received(data)
        if self._received > (MAX_HEAD if self._in_head else MAX_REST):
            if self._in_head and (self.cycle is None or self.cycle.response_complete):
                self.transport.write(_HEAD_TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head, self._received = False, 0
        self._end_after(REST_SECONDS)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._received = True, 0
        self._end_after(None)

    def _end_after(self, seconds: float | None) -> None:
        """Start the time that the client has for what comes next; None for as long as it takes."""
        if self._overdue is not None:
            self._overdue.cancel()
        self._overdue = self.loop.call_later(seconds, self.transport.abort) if seconds is not None else None
