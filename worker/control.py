"""The worker's side of its routes on the control plane, and uploads to presigned URLs.

Standard library only: a worker's start is part of every dispatch's latency, and everything that is
imported here is also in reach of the code that an agent runs.
"""

import http.client
import json
import os
import random
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from outpost import worker_protocol
from outpost.errors import OutpostError
from worker.stopping import Patience, Stop

REQUEST_TIMEOUT = 15.0  # seconds for one request to the control plane
UPLOAD_TIMEOUT = 60.0  # seconds without progress on an upload
FIRST_DELAY, LONGEST_DELAY = 0.1, 8.0  # seconds; the delay doubles, with jitter


class UnavailableError(OutpostError):
    """No usable answer within the time that the caller had. The dispatch is left to the server."""


class RefusedError(OutpostError):
    """The attempt is fenced off, or the dispatch has ended. Nothing more may be written."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What one attempt is asked to do (the answer to a claim)."""

    dispatch_id: str
    attempt: int
    agent: str
    model: str | None
    task: str
    context: str | None
    repository: str | None  # None: work in an empty directory
    branch: str | None
    timeout_seconds: float
    deadline_at: float  # seconds since the epoch, by the control plane's clock
    persistent: bool
    workspace_id: str | None  # None in persistent mode: the tenant's common directory
    git_token: str | None = field(repr=False)

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> "Assignment":
        try:
            return cls(
                dispatch_id=str(answer["dispatchId"]),
                attempt=int(answer["attempt"]),
                agent=str(answer["agent"]),
                model=answer.get("model") or None,
                task=str(answer["task"]),
                context=answer.get("context") or None,
                repository=answer.get("repository") or None,
                branch=answer.get("branch") or None,
                timeout_seconds=float(answer["timeoutSeconds"]),
                deadline_at=float(answer["deadlineAt"]),
                persistent=answer.get("workspace") == "persistent",
                workspace_id=_workspace_id(answer.get("workspaceId")),
                git_token=answer.get("gitToken") or None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise OutpostError(
                "bad-assignment",
                f"The control plane's assignment cannot be read ({error!r}).",
                remedy="The worker's image and the control plane differ in version: deploy both.",
            ) from error


def _workspace_id(value: object) -> str | None:
    """It becomes the name of a directory. Raises `ValueError` for anything but an id."""
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(worker_protocol.WORKSPACE_ID, value):
        raise ValueError(f"workspaceId {value!r}")
    return value


class ControlPlane:
    """Calls the control plane until it answers: it may be deployed or replaced while a worker runs."""

    def __init__(self, url: str, token: str, stop: Stop | None = None) -> None:
        self._url = url
        self._token = token
        self._stop = stop or Stop()

    def claim(self, *, patience: Patience) -> Assignment:
        """Fetch the assignment, which makes the dispatch RUNNING."""
        return Assignment.parse(self._post(worker_protocol.CLAIM_ROUTE, {}, patience, interruptible=True))

    def lease(self, slot: str, *, patience: Patience) -> tuple[str, Assignment] | None:
        """As an idle worker, wait for a dispatch: its attempt's token and its assignment, or None for now.

        Raises `RefusedError` when this worker is not wanted any more, `UnavailableError` as `claim`.
        """
        wait = worker_protocol.LEASE_WAIT + REQUEST_TIMEOUT
        route = worker_protocol.LEASE_ROUTE
        answer = self._post(route, {"slot": slot}, patience, interruptible=True, timeout=wait)
        return (str(answer["token"]), Assignment.parse(answer["assignment"])) if answer else None

    def uploads(self, files: list[dict[str, object]], *, patience: Patience) -> list[dict[str, Any]]:
        """Presigned URLs for the named files."""
        answer = self._post(worker_protocol.UPLOADS_ROUTE, {"files": files}, patience)
        return list(answer.get("uploads", []))

    def result(self, result: Mapping[str, object], *, patience: Patience) -> None:
        """Report how the attempt ended, which makes the dispatch terminal."""
        self._post(worker_protocol.RESULT_ROUTE, result, patience)

    def _post(
        self,
        route: str,
        body: Mapping[str, object],
        patience: Patience,
        *,
        interruptible: bool = False,
        timeout: float = REQUEST_TIMEOUT,
    ) -> dict[str, Any]:
        delay = FIRST_DELAY
        while True:
            try:
                status, answer, retry_after = self._request(
                    route, body, max(1.0, min(timeout, patience.left()))
                )
                problem = f"HTTP {status}"
            except (OSError, http.client.HTTPException, ValueError) as error:
                status, answer, retry_after, problem = 0, {}, None, f"{type(error).__name__}: {error}"
            if 200 <= status < 300:
                return answer
            if 400 <= status < 500 and status not in (408, 425, 429):
                raise RefusedError(
                    str(answer.get("code") or f"http-{status}"),
                    f"The control plane refused {route}: {answer.get('detail') or problem}",
                )
            pause = min(max(random.uniform(delay / 2, delay), retry_after or 0), LONGEST_DELAY)  # noqa: S311
            delay = min(delay * 2, LONGEST_DELAY)
            if pause > patience.left():
                raise UnavailableError(
                    "control-plane-unavailable",
                    f"No answer from {self._url}{route} in {patience.seconds:.0f} s: {problem}",
                )
            if interruptible:
                if self._stop.wait(pause):
                    raise UnavailableError("stopped", "Stopped before there was an assignment.")
            else:
                time.sleep(pause)

    def _request(
        self, route: str, body: Mapping[str, object], timeout: float
    ) -> tuple[int, dict[str, Any], float | None]:
        connection, path = _connect(self._url + route, timeout)
        try:
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body).encode(), headers)
            response = connection.getresponse()
            content = response.read()
            retry_after = response.headers.get("Retry-After", "")
            answer = json.loads(content) if content else {}
            if not isinstance(answer, dict):
                raise ValueError("the answer is not a JSON object")
            return response.status, answer, float(retry_after) if retry_after.isdigit() else None
        except json.JSONDecodeError:
            # A load balancer's error page; a success would have been JSON.
            return response.status if response.status >= 400 else 502, {}, None
        finally:
            connection.close()


def open_own(path: Path) -> BufferedReader:
    """Open a file to be uploaded. Raises `OSError` for a link or anything else but a regular file.

    In the images agent and worker are one user (ADR 30), so an agent may put a link in the place of a file:
    the worker, which may read more than its agent (its own environment), must not follow it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path.name} is not a regular file")
    return os.fdopen(descriptor, "rb")


def put(url: str, headers: Mapping[str, str], path: Path) -> tuple[int, str]:
    """PUT a file to a presigned URL, streamed; the status and the start of the answer.

    Raises `OSError`, `HTTPException`, and `ValueError` for what is no HTTP address.
    """
    connection, target = _connect(url, UPLOAD_TIMEOUT)
    try:
        with open_own(path) as body:
            size = os.fstat(body.fileno()).st_size
            connection.request("PUT", target, body, {**headers, "Content-Length": str(size)})
            response = connection.getresponse()
            return response.status, response.read(4096).decode("utf-8", "replace")
    finally:
        connection.close()


def _connect(url: str, timeout: float) -> tuple[http.client.HTTPConnection, str]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not an HTTP address: {parts.scheme}://{parts.hostname}")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return kind(parts.hostname, parts.port, timeout=timeout), path
