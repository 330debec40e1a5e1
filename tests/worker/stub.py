"""A small control plane and object store over real HTTP, for a worker that is a real process."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "token-of-this-attempt-0123456789"
POOL_TOKEN = "token-of-an-idle-worker-987654321"


class StubControlPlane:
    """Answers the worker's three routes and its uploads; remembers what came."""

    def __init__(self, assignment: dict[str, Any]) -> None:
        self.assignment = {
            "dispatchId": "01JTESTDISPATCH0000000000",
            "attempt": 1,
            "agent": "claude",
            "model": None,
            "task": "Change something.",
            "context": None,
            "branch": None,
            "timeoutSeconds": 60,
            "deadlineAt": time.time() + 60,
            "workspace": "ephemeral",
            "gitToken": None,
            "rehearsal": None,
        } | assignment
        self.result: dict[str, Any] | None = None
        self.results = 0
        self.seen: list[str] = []
        self.claims = 0
        self.leases = 0
        self.idle_leases = 2  # answers of "nothing yet" before the first lease
        self.stored: dict[str, bytes] = {}
        self.answer: Callable[[str], tuple[int, dict[str, Any]] | None] = lambda path: None
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                stub.seen.append(self.path)
                status, answer = stub.answer(self.path) or stub.handle(self, body)
                content = json.dumps(answer).encode()
                content = b"" if status == 204 else content
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_PUT(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                failure = stub.answer(self.path)
                if failure is None:
                    stub.stored[self.path.rpartition("/")[2]] = content
                body = b"<Error><Code>AccessDenied</Code></Error>" if failure else b""
                self.send_response(failure[0] if failure else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def handle(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if request.path == "/worker/lease" and request.headers["Authorization"] == f"Bearer {POOL_TOKEN}":
            self.leases += 1
            if self.leases <= self.idle_leases:
                return 204, {}
            return 200, {"token": TOKEN, "assignment": self.assignment}
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            return 403, {"code": "forbidden", "detail": "not this attempt's token"}
        match request.path:
            case "/worker/claim":
                self.claims += 1
                return 200, self.assignment
            case "/worker/uploads":
                names = [file["name"] for file in body["files"]]
                return 200, {
                    "uploads": [
                        {"name": name, "url": f"{self.url}/put/{name}", "headers": {}} for name in names
                    ]
                }
            case "/worker/result":
                self.results += 1
                self.result = body
                return 200, {"status": "COMPLETED"}
        return 404, {}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
