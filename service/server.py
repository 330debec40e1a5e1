"""The HTTP server's process: how it starts, and how it stops without dropping anything."""

import threading
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from service.protocol import BoundedProtocol
from service.settings import Settings

# After SIGTERM requests are still taken for a moment: the load balancer may send some until it has seen
# that the target is going. Then running requests get their grace; then the loops end their last poll.
# Together they stay within the task definition's stop timeout (60 s).
DRAIN_SECONDS = 3
GRACE_SECONDS = 15


class Server(uvicorn.Server):
    """uvicorn, with a moment between SIGTERM and the end of listening."""

    def __init__(self, app: ASGIApp, settings: Settings, stopping: threading.Event) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                loop="uvloop",
                http=BoundedProtocol,
                ws="none",
                access_log=False,
                log_config=None,
                server_header=False,
                # Longer than the load balancer's idle timeout: it must never meet a closed connection.
                timeout_keep_alive=settings.keep_alive_seconds,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal starts the draining, which also ends the log streams; a second one ends it."""
        if self._stopping.is_set():
            super().handle_exit(sig, frame)
            return
        self._stopping.set()
        exit_later = threading.Timer(DRAIN_SECONDS, super().handle_exit, (sig, frame))
        exit_later.daemon = True
        exit_later.start()
