"""A forwarder in front of the embedded AWS that counts calls."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Counting:
    """The calls that went through, by operation."""

    def __init__(self) -> None:
        self.calls: list[str] = []


@contextmanager
def counting(target: str) -> Iterator[tuple[str, Counting]]:
    """Yields the forwarder's URL and its counter."""
    host = urlsplit(target).netloc
    counter = Counting()
    connections = threading.local()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            """Quiet."""

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            counter.calls.append(operation or f"{self.command} {self.path.partition('?')[0]}")
            if not hasattr(connections, "upstream"):
                connections.upstream = http.client.HTTPConnection(host, timeout=60)
            connections.upstream.request(self.command, self.path, body, dict(self.headers.items()))
            answer = connections.upstream.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = forward  # noqa: N815 - http.server's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", counter
    finally:
        server.shutdown()
