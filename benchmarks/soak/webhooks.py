"""Where the tenants' webhooks go: a server that takes most of them, and refuses some the first time."""

import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from benchmarks.soak.ledger import Ledger

REFUSED = 0.1  # share of the tries that are answered with 500
HIGHEST_PORT = 64_999  # the API takes none above


class Receiver:
    """Remembers which status it was told of each dispatch. Use it as a context manager."""

    def __init__(self) -> None:
        self.told: dict[str, set[str]] = {}
        self._lock = threading.Lock()
        self._server = self._listen()
        self.url = f"http://127.0.0.1:{self._server.server_port}/ended"

    def _listen(self) -> ThreadingHTTPServer:
        told, lock, chance = self.told, self._lock, random.Random(1)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                refused = chance.random() < REFUSED
                if not refused:
                    with lock:
                        told.setdefault(event["dispatchId"], set()).add(event["status"])
                self.send_response(500 if refused else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        while True:
            server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            if server.server_port <= HIGHEST_PORT:
                server.daemon_threads = True
                return server
            server.server_close()

    def missing(self, ledger: Ledger) -> list[str]:
        """Ended dispatches whose webhook was not told, or was told another end."""
        with self._lock:
            return [
                f"{entry.dispatch_id} {entry.status}: told {sorted(self.told.get(entry.dispatch_id, set()))}"
                for entry in ledger.entries.values()
                if entry.webhook
                and entry.status
                and self.told.get(entry.dispatch_id, set()) != {entry.status}
            ]

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, name="webhooks", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
