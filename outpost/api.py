"""The HTTP API as its clients call it: problems are errors, safe requests are repeated, streams resume."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

import httpx

from outpost.dispatch import Status
from outpost.errors import OutpostError
from outpost.names import MANIFEST

REQUEST_TIMEOUT = 15.0  # seconds for one answer
STREAM_SILENCE = 45.0  # seconds: the control plane sends a keepalive every 15 s, so this is a dead connection
TRIES = 5  # of one request, and of connecting to a stream without a line in between
PAUSES = (0.5, 8.0)  # seconds between tries: at first, doubled, and at most
POLL = 1.0  # seconds between two looks at a dispatch
REPEATED = frozenset({429, 502, 503, 504})  # over the rate, or nobody there to answer: nothing was done
REMEDY = 'Set OUTPOST_API_URL and OUTPOST_API_KEY (in the local region: eval "$(./inv local.env)").'


class ApiError(OutpostError):
    """The API refused: `status` is HTTP's, `code` the problem's."""

    def __init__(self, status: int, code: str, message: str, *, remedy: str = "") -> None:
        super().__init__(code, message, remedy=remedy)
        self.status = status


class StillRunningError(OutpostError):
    """A dispatch had not ended when the caller's time was over; it goes on. `dispatch` is how it was then."""

    def __init__(self, dispatch: dict[str, Any], seconds: float) -> None:
        status = dispatch["status"]
        super().__init__(
            "still-running", f"{dispatch['dispatchId']} is {status} after {seconds:.0f} s; it goes on."
        )
        self.dispatch = dispatch


class Api:
    """One API with one key. A context manager; `pause` is what waits between tries."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(
            base_url=self.url, headers={"X-API-Key": key}, timeout=REQUEST_TIMEOUT, transport=transport
        )
        # Presigned URLs go to S3: without the key, which is none of its business.
        self._storage = httpx.Client(timeout=REQUEST_TIMEOUT, transport=transport)
        self._pause = pause

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Api":
        """By OUTPOST_API_URL and OUTPOST_API_KEY. Raises `OutpostError` that names the missing one."""
        for name in ("OUTPOST_API_URL", "OUTPOST_API_KEY"):
            if not environment.get(name, "").strip():
                raise OutpostError("missing-environment", f"{name} is not set.", remedy=REMEDY)
        return cls(environment["OUTPOST_API_URL"].strip(), environment["OUTPOST_API_KEY"].strip())

    def __enter__(self) -> "Api":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._storage.close()

    # --- dispatches

    def dispatch(self, body: Mapping[str, object]) -> dict[str, Any]:
        """Post a dispatch. Its idempotency key makes a repeated request the same dispatch."""
        return self._json("POST", "/dispatch", json=dict(body), headers={"Idempotency-Key": uuid4().hex})

    def get(self, dispatch_id: str) -> dict[str, Any]:
        """The dispatch as it is now."""
        return self._json("GET", f"/dispatch/{dispatch_id}")

    def cancel(self, dispatch_id: str) -> dict[str, Any]:
        """Ask for its end: CANCELLING until its container is proven gone."""
        return self._json("DELETE", f"/dispatch/{dispatch_id}")

    def wait(self, dispatch_id: str, *, seconds: float, changed: Callable[[str], None]) -> dict[str, Any]:
        """The dispatch once it has ended. `changed` is told each status.

        Raises `StillRunningError` when that takes longer than `seconds`.
        """
        end = time.monotonic() + seconds
        status = ""
        while True:
            found = self.get(dispatch_id)
            if found["status"] != status:
                status = str(found["status"])
                changed(status)
            if Status(status).terminal:
                return found
            if time.monotonic() > end:
                raise StillRunningError(found, seconds)
            self._pause(POLL)

    def follow(self, dispatch_id: str, line: Callable[[Mapping[str, str]], None]) -> str:
        """Give each line of the log to `line` as it comes; the status with which the dispatch ended.

        A connection that is lost is made again, after the last line that came: none is lost or repeated.
        """
        last, failures = "", 0
        while True:
            try:
                for event in self._events(dispatch_id, last):
                    last = event.get("id", last)
                    failures = 0
                    data = json.loads(event["data"])
                    if event["event"] == "log":
                        line(data)
                    elif event["event"] == "end":
                        return str(data["status"])
                    elif event["event"] == "error":
                        raise ApiError(0, str(data["code"]), str(data["detail"]))
            except httpx.TransportError as error:
                if failures + 1 >= TRIES:
                    raise _unreachable(self.url, error) from error
            # The replica stopped or the connection broke: another replica goes on where this one was.
            failures += 1
            if failures >= TRIES:
                raise OutpostError("stream-lost", f"The log's stream ended {TRIES} times without a line.")
            self._pause(_pause_after(failures))

    def _events(self, dispatch_id: str, last: str) -> Iterator[dict[str, str]]:
        headers = {"Last-Event-ID": last} if last else {}
        timeout = httpx.Timeout(REQUEST_TIMEOUT, read=STREAM_SILENCE)
        path = f"/dispatch/{dispatch_id}/logs"
        with self._client.stream(
            "GET", path, params={"follow": "true"}, headers=headers, timeout=timeout
        ) as answer:
            if answer.status_code in REPEATED:
                return
            if answer.status_code != 200:
                answer.read()
                raise _problem(answer)
            event: dict[str, str] = {}
            for row in answer.iter_lines():
                name, _, value = row.partition(":")
                if not row and "data" in event:
                    yield event
                    event = {}
                elif name:
                    event[name] = value.removeprefix(" ")

    # --- artifacts

    def artifacts(self, dispatch_id: str) -> list[dict[str, Any]]:
        """What the dispatch left: name, URL, size and checksum of each."""
        return list(self._json("GET", f"/dispatch/{dispatch_id}/artifacts")["artifacts"])

    def download(self, dispatch_id: str, directory: Path) -> list[Path]:
        """Save every artifact in `directory`, each checked against the manifest; the files.

        Raises `OutpostError`: `no-artifacts`, or `artifact-altered` for one whose SHA-256 is another; that
        file is not kept.
        """
        files = {str(each["name"]): each for each in self.artifacts(dispatch_id)}
        if not files:
            raise OutpostError("no-artifacts", f"{dispatch_id} has left nothing (yet).")
        directory.mkdir(parents=True, exist_ok=True)
        expected = {name: str(each["sha256"]) for name, each in files.items() if each.get("sha256")}
        saved = []
        if MANIFEST in files:
            saved.append(self._saved(files.pop(MANIFEST), directory, expected.get(MANIFEST)))
            listed = json.loads(saved[0].read_bytes())["files"]
            expected |= {str(each["name"]): str(each["sha256"]) for each in listed}
        return saved + [self._saved(each, directory, expected.get(name)) for name, each in files.items()]

    def _saved(self, artifact: Mapping[str, Any], directory: Path, expected: str | None) -> Path:
        name = str(artifact["name"])
        if name != Path(name).name or name.startswith("."):
            raise OutpostError("artifact-altered", f"{name!r} is not the name of an artifact.")
        part, digest = directory / f".{name}.part", hashlib.sha256()
        try:
            with part.open("wb") as file, self._storage.stream("GET", str(artifact["url"])) as answer:
                if answer.status_code != 200:
                    raise OutpostError("download-failed", f"{name}: HTTP {answer.status_code}.")
                for chunk in answer.iter_bytes():
                    digest.update(chunk)
                    file.write(chunk)
            if expected is None or digest.hexdigest() != expected:
                wanted = expected or "none in the manifest"
                raise OutpostError(
                    "artifact-altered", f"{name} has SHA-256 {digest.hexdigest()}, expected {wanted}."
                )
            return part.replace(directory / name)
        except httpx.TransportError as error:
            raise OutpostError("download-failed", f"{name}: {type(error).__name__}.") from error
        finally:
            part.unlink(missing_ok=True)

    # --- one request

    def _json(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        for attempt in range(1, TRIES + 1):
            wait = _pause_after(attempt)
            try:
                answer = self._client.request(method, path, **arguments)
            except httpx.TransportError as error:
                if attempt == TRIES:
                    raise _unreachable(self.url, error) from error
            else:
                if answer.is_success:
                    return dict(answer.json())
                if answer.status_code not in REPEATED or attempt == TRIES:
                    raise _problem(answer)
                told = answer.headers.get("Retry-After", "")
                if told.isdigit() and int(told) > 60:
                    raise _problem(answer)  # tomorrow, say: nobody waits for that here
                wait = max(wait, float(told) if told.isdigit() else 0)
            self._pause(wait)
        raise AssertionError("the last try returns or raises")


def _pause_after(failures: int) -> float:
    first, longest = PAUSES
    return min(longest, first * 2.0 ** (failures - 1))


def _unreachable(url: str, error: Exception) -> OutpostError:
    return OutpostError("api-unreachable", f"{url} does not answer ({type(error).__name__}).", remedy=REMEDY)


def _problem(answer: httpx.Response) -> ApiError:
    """The problem details of an answer; of a load balancer's page, its status."""
    try:
        found = dict(answer.json())
    except (ValueError, TypeError):
        found = {}
    message = str(found.get("detail") or f"HTTP {answer.status_code}")
    return ApiError(
        answer.status_code,
        str(found.get("code") or f"http-{answer.status_code}"),
        message if message.endswith(".") else f"{message}.",
        remedy=str(found.get("remedy") or ""),
    )
