"""The HTTP server of the embedded AWS: one thread per connection, kept alive."""

import threading
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

from outpost.errors import OutpostError


class _Handler(MotoRequestHandler):  # type: ignore[misc]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer does not wait for the ACK of the one before
    timeout = 120  # seconds an idle connection is kept

    def run_wsgi(self) -> None:
        """Answer one request, and leave the connection open for the next.

        werkzeug's own closes every connection and waits 10 ms for more input; the gateway reads every body
        to its end and gives every answer a length.
        """
        head: list[str] = []

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            head.append(f"HTTP/1.1 {status}")
            head.extend(f"{name}: {value}" for name, value in headers if name.lower() != "connection")

        body = b"".join(self.server.app(self.make_environ(), start_response))
        head.append(f"Date: {self.date_time_string()}")
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + body)

    def log_request(self, *args: Any) -> None:
        """Requests are not logged: they would be most of the log."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Broken connections are the client's business."""


class _Server(ThreadedWSGIServer):
    daemon_threads = True
    request_queue_size = 256


def serve(application: Any, host: str, port: int) -> _Server:
    """Serve in a thread; `port` 0 takes a free one. Raises `OutpostError` (`port-in-use`)."""
    try:
        server = _Server(host, port, application, handler=_Handler)
    except (OSError, SystemExit) as error:
        raise OutpostError(
            "port-in-use",
            f"port {port} on {host} is in use.",
            remedy="Choose another with --aws-port.",
        ) from error
    threading.Thread(target=server.serve_forever, name="aws-server", daemon=True).start()
    return server
