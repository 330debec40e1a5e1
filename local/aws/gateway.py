"""The one way into the embedded AWS: every request passes faults, IAM and the lock, in this order."""

import json
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from threading import RLock
from typing import Any, Protocol
from uuid import uuid4

from local.aws.call import Call, understand
from local.aws.errors import AwsError, Response, render
from local.aws.moto_app import EmbeddedAws

log = logging.getLogger(__name__)

Handler = Callable[[Call], dict[str, Any] | Response]
Observer = Callable[[Call, Response], None]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Guard(Protocol):
    """What may refuse or delay a call: raises `AwsError` to refuse."""

    def __call__(self, call: Call) -> None: ...


class Gateway:
    """A WSGI application in front of moto.

    `answers` are operations that the region answers itself, by (service, operation); they run with the
    lock held. `waits` are those that may block and take the lock themselves. `routes` are paths of the
    region's own (control, container credentials). `observers` see each call with its answer, unlocked.
    """

    def __init__(self, lock: RLock, internal_key: str) -> None:
        self.lock = lock
        self.internal_key = internal_key
        self.answers: dict[tuple[str, str], Handler] = {}
        self.waits: dict[tuple[str, str], Handler] = {}
        self.routes: dict[str, Callable[[dict[str, Any], bytes], Response]] = {}
        self.guards: list[Guard] = []
        self.observers: list[Observer] = []
        self._moto = EmbeddedAws()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        body = _read(environ)
        response = self.respond(environ, body)
        headers = list(response.headers)
        if not any(name.lower() == "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(response.body))))
        start_response(f"{response.status} {'OK' if response.status < 400 else 'Error'}", headers)
        return [response.body]

    def respond(self, environ: dict[str, Any], body: bytes) -> Response:
        """Answer one request; never raises."""
        path = environ.get("PATH_INFO", "/")
        for prefix, route in self.routes.items():
            if path.startswith(prefix):
                return route(environ, body)
        call = understand(environ, body, self.lock)
        try:
            response = self._carry_out(call)
        except AwsError as error:
            response = render(error, protocol=call.protocol, service=call.service)
        except Exception:  # a defect here is an InternalFailure for this caller, as on AWS, and in the log
            log.exception("%s:%s failed", call.service, call.operation)
            failure = AwsError("InternalFailure", "The local region failed; see its log.", status=500)
            response = render(failure, protocol=call.protocol, service=call.service)
        for observe in self.observers:
            observe(call, response)
        return response

    def _carry_out(self, call: Call) -> Response:
        if call.access_key != self.internal_key:
            for guard in self.guards:
                guard(call)
        key = (call.service, call.operation)
        if key in self.waits:
            return _as_response(self.waits[key](call))
        with self.lock:
            if key in self.answers:
                return _as_response(self.answers[key](call))
            return self.moto(call)

    def moto(self, call: Call) -> Response:
        """moto's own answer to a call; hold the lock."""
        return self._moto.answer(call.service, call.environ, call.body)


def _as_response(answer: dict[str, Any] | Response) -> Response:
    if isinstance(answer, Response):
        return answer
    headers = (("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", str(uuid4())))
    return Response(200, json.dumps(answer, default=_json_default).encode(), headers)


def _json_default(value: object) -> float:
    """JSON 1.1 carries time as epoch seconds."""
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _read(environ: dict[str, Any]) -> bytes:
    """The request's body; the server has decoded a chunked one."""
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        return bytes(stream.read())
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return bytes(stream.read(length)) if length else b""
