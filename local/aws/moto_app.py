"""moto, called in process: one WSGI application, without what makes it slow."""

import io
import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from moto import backends
from moto.core import responses as moto_responses
from moto.core import utils as moto_utils
from moto.core.common_models import BaseModel
from moto.core.request import Request
from moto.core.responses import ActionResult
from moto.dynamodb.responses import DynamoHandler
from moto.iam.access_control import PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import FakeBucket
from werkzeug.exceptions import HTTPException

from local import moto_extensions
from local.aws.errors import Response

ACCOUNT = "123456789012"
REGION = "us-east-1"
DIRECT = frozenset({"dynamodb", "ecs", "logs", "secretsmanager", "sqs"})  # one path, `/`, and JSON
DATA_OPERATIONS = frozenset(
    {
        "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan",
        "BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems",
    }
)  # fmt: skip


class EmbeddedAws:
    """moto's application. Not thread-safe: callers hold the region's lock."""

    def __init__(self) -> None:
        _quicken()
        _forget_models()
        _leave_access_to_iam()
        moto_extensions.install()
        self._app = DomainDispatcherApplication(create_backend_app)

    def answer(self, service: str, environ: dict[str, Any], body: bytes) -> Response:
        """moto's answer to a request whose body has been read already."""
        request = _with_body(environ, body)
        if service in DIRECT and "HTTP_X_AMZ_TARGET" in environ:
            return _straight(service, request)
        return self._through_flask(request)

    def _through_flask(self, request: dict[str, Any]) -> Response:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            started[:] = [int(status.split(" ", 1)[0]), headers]
            return lambda data: None

        chunks: Iterable[bytes] = self._app(request, start_response)
        try:
            content = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close:
                close()
        return Response(started[0], content, tuple(started[1]))


class _Request(Request):  # type: ignore[misc]
    from_wsgi_server = True


def _with_body(environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    """A copy of a WSGI environment with the body to read again, of a known length."""
    request = {name: value for name, value in environ.items() if name != "werkzeug.request"}
    request["wsgi.input"] = io.BytesIO(body)
    request["CONTENT_LENGTH"] = str(len(body))
    request.pop("wsgi.input_terminated", None)
    request.pop("HTTP_TRANSFER_ENCODING", None)
    return request


@cache
def _handler(service: str) -> Any:
    """What answers a service's requests to `/`."""
    return next(iter(backend(service).flask_paths.values()))


def _straight(service: str, environ: dict[str, Any]) -> Response:
    """moto's answer without Flask, which costs as much as the answer of a service with one path."""
    request = _Request(environ)
    try:
        status, headers, body = _handler(service)(request, request.raw_url, request.headers)
    except HTTPException as error:
        status, headers, body = error.code, dict(error.get_headers()), error.get_body()
    content = body if isinstance(body, bytes) else str(body).encode()
    named = {str(name): str(value) for name, value in headers.items() if name.lower() != "content-length"}
    named.setdefault("Content-Type", "application/x-amz-json-1.1")
    return Response(int(status or 500), content, tuple(named.items()))


def backend(service: str) -> Any:
    """moto's state of a service in the one account and region (IAM, STS and S3 are global)."""
    from moto.backends import get_backend

    regions = get_backend(service)[ACCOUNT]
    return regions["aws" if service in {"iam", "s3", "sts"} else REGION]


def _leave_access_to_iam() -> None:
    """Let S3 judge no bucket policies: moto ignores their conditions, and IAM has judged already."""
    FakeBucket.get_permission = lambda self, action, resource: PermissionResult.NEUTRAL


def _forget_models() -> None:
    """Let go of models that are not used any more.

    moto lists each one that is ever made, so that a reset between tests can reach it; a query copies each
    item that it answers with. The list grew by 6 KB for each item of each answer; a region is never reset.
    """
    BaseModel.__new__ = lambda cls, *_, **__: object.__new__(cls)


def _quicken() -> None:
    """Replace generic parts of moto that cost more than the work they surround.

    Every request lists the directory of moto's modules twice and the methods of its handler anew, and
    DynamoDB's answers, which are made of plain values already, pass a serialiser that tries three
    spellings of every key (measured: 60% of a GetItem).
    """
    modules = frozenset(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    moto_utils.method_names_from_class = cache(moto_utils.method_names_from_class)
    moto_responses.method_names_from_class = moto_utils.method_names_from_class
    serialise = moto_responses.BaseResponse.serialized

    def serialized(self: Any, action_result: ActionResult) -> Any:
        result = action_result.result
        if isinstance(result, dict) and self._get_action() in DATA_OPERATIONS:
            try:
                body = json.dumps({name: value for name, value in result.items() if value is not None})
            except (TypeError, ValueError):  # bytes, sets, moto's own objects: the long way
                return serialise(self, action_result)
            return 200, {"Content-Type": "application/x-amz-json-1.0", **self.response_headers}, body
        return serialise(self, action_result)

    DynamoHandler.serialized = serialized
