"""A tenant's client: as the client library does, it asks again when nothing answers."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

PATIENCE = 90.0  # seconds in which some replica has to answer
PAUSE = 0.2
QUIET_STREAM = 25.0  # seconds: the stream says something at least every 15


@dataclass
class Tenant:
    """One tenant's key, and what it does with it. Safe for threads."""

    name: str
    url: str
    key: str
    complain: Callable[[str], None]

    def __post_init__(self) -> None:
        self._local = threading.local()

    @property
    def _http(self) -> httpx.Client:
        if not hasattr(self._local, "client"):
            headers = {"X-API-Key": self.key}
            self._local.client = httpx.Client(base_url=self.url, headers=headers, timeout=20)
        client: httpx.Client = self._local.client
        return client

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """The first answer that is one. 502, 503, 504 and 429 are asked again; a 500 is always a defect.

        Raises `TimeoutError` when no replica answers within `PATIENCE`.
        """
        return self._answer(self._http, method, path, **arguments)

    def download(self, url: str) -> bytes:
        """What a presigned URL leads to; S3 is asked again when it throttles."""
        with httpx.Client(timeout=20) as keyless:
            return self._answer(keyless, "GET", url).content

    def _answer(self, http: httpx.Client, method: str, path: str, **arguments: Any) -> httpx.Response:
        end = time.monotonic() + PATIENCE
        said = ""
        while time.monotonic() < end:
            try:
                answer = http.request(method, path, **arguments)
            except httpx.HTTPError as error:  # a replica was killed while it answered
                said = type(error).__name__
            else:
                if answer.status_code == 500 and http is self._http:  # S3's may be one of the faults
                    self.complain(f"{method} {path} answered 500: {answer.text[:300]}")
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
                said = str(answer.status_code)
            time.sleep(PAUSE)
        raise TimeoutError(f"{method} {path} was not answered for {PATIENCE:.0f} s, at last: {said}")

    def pages(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Every page of a list, by its cursor."""
        cursor: dict[str, str] = {}
        while True:
            page = self.call("GET", path, params={**parameters, **cursor}).json()
            yield page
            if "cursor" not in page:
                return
            cursor = {"cursor": page["cursor"]}

    def stream(self, dispatch_id: str, until: float) -> tuple[list[str], str | None]:
        """Follow a log to its end: its messages, and the status it ended with (None: `until` came first).

        A stream that breaks is taken up after the last event, as a browser's EventSource does.
        """
        messages: list[str] = []
        last: str | None = None
        while time.monotonic() < until:
            try:
                for identity, kind, data in self._events(dispatch_id, last):
                    if kind == "end":
                        return messages, str(data["status"])
                    if kind == "log":
                        messages.append(str(data["message"]))
                    last = identity or last
            except httpx.HTTPError:  # its replica was killed; on with the next
                time.sleep(PAUSE)
        return messages, None

    def _events(self, dispatch_id: str, last: str | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
        headers = {"Last-Event-ID": last} if last else {}
        path = f"/dispatch/{dispatch_id}/logs"
        with self._http.stream(
            "GET",
            path,
            params={"follow": "true"},
            headers=headers,
            timeout=httpx.Timeout(20, read=QUIET_STREAM),
        ) as answer:
            if answer.status_code == 500 or 400 <= answer.status_code < 429:
                self.complain(f"GET {path} (stream) answered {answer.status_code}")
            if answer.status_code != 200:
                time.sleep(PAUSE)
                return
            event: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    event[name] = value
                    continue
                if "data" in event:
                    yield event.get("id", ""), event.get("event", ""), json.loads(event["data"])
                event = {}
