"""A repository that wants a token: who is shown it, and who is not."""

import base64
import functools
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.worker.conftest import StartWorker, git

TOKEN = "token-for-git-567890"


class PrivateServer:
    """Serves a bare repository over (dumb) HTTP to whoever shows the token."""

    def __init__(self, directory: Path) -> None:
        self.shown: list[str] = []
        server = self

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                header = self.headers.get("Authorization", "")
                server.shown.append(header)
                wanted = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
                if header == f"Basic {wanted}":
                    super().do_GET()
                    return
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()

        self._http = ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=str(directory))
        )
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/project.git"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def private(tmp_path: Path, repository: Path) -> Iterator[PrivateServer]:
    served = tmp_path / "served"
    served.mkdir()
    subprocess.run(
        ["git", "clone", "--quiet", "--bare", str(repository), str(served / "project.git")], check=True
    )
    git(served / "project.git", "update-server-info")
    server = PrivateServer(served)
    yield server
    server.close()


def test_the_token_opens_a_private_repository(start: StartWorker, private: PrivateServer) -> None:
    worker = start(repository=private.url, gitToken=TOKEN, env={"OUTPOST_GIT_HOSTS": "github.com,127.0.0.1"})
    assert worker.wait() == 0, worker.log
    repository = worker.directory / "dispatch/repository"
    assert TOKEN not in (repository / ".git/config").read_text()
    everything = [path.read_bytes() for path in worker.directory.rglob("*") if path.is_file()]
    encoded = base64.b64encode(f"x-access-token:{TOKEN}".encode())
    assert not any(TOKEN.encode() in content or encoded in content for content in everything)


def test_the_token_is_not_shown_to_a_host_of_the_tenants_choice(
    start: StartWorker, private: PrivateServer
) -> None:
    worker = start(repository=private.url, gitToken=TOKEN)
    assert worker.wait() == 1
    assert private.shown
    assert set(private.shown) == {""}
    assert worker.result["reason"]["cause"] == "repository-not-found"


def test_without_a_token_it_is_not_found(start: StartWorker, private: PrivateServer) -> None:
    worker = start(repository=private.url, env={"OUTPOST_GIT_HOSTS": "127.0.0.1"})
    assert worker.wait() == 1
    assert worker.result["reason"]["cause"] == "repository-not-found"
