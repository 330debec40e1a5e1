"""The OpenAPI document, made exact: every answer of every operation with its status, headers and type.

`tests/service/documented.py` holds each answer that any test gets against it.
"""

from collections.abc import Mapping
from typing import Any

from service.problems import MEDIA_TYPE, TITLES
from service.routers.views import Problem

WORKERS = "workers"  # the tag of the workers' own routes
_SECURITY: dict[str, dict[str, Any]] = {
    "ApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "`otp_` and 64 hex digits",
    },
    "Bearer": {"type": "http", "scheme": "bearer", "description": "The same key as a bearer token"},
    "WorkerToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "Given to a worker when it is launched; good for one attempt of one dispatch",
    },
}
_SECONDS: dict[str, Any] = {"type": "integer", "minimum": 1}
_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "Names this request in the log; the caller's own, if it sent one that is fit.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{8,64}$"},
    },
    "X-RateLimit-Limit": {
        "description": "What is allowed: requests a minute of this key (dispatches posted, where it posts "
        "them), or what the 429's code names.",
        "schema": _SECONDS,
    },
    "X-RateLimit-Remaining": {
        "description": "What is left of it, as far as this replica knows.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-RateLimit-Reset": {
        "description": "Seconds until all of it is there again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Retry-After": {"description": "Seconds to wait before another try.", "schema": _SECONDS},
    "WWW-Authenticate": {"description": "What to authenticate with.", "schema": {"type": "string"}},
    "Location": {"description": "Where what was made is.", "schema": {"type": "string"}},
    "Cache-Control": {"description": "It holds a secret.", "schema": {"const": "no-store"}},
    "Idempotency-Replayed": {
        "description": "This Idempotency-Key made the dispatch before; nothing was made now.",
        "schema": {"const": "true"},
    },
    "X-Accel-Buffering": {"description": "Proxies pass each event on.", "schema": {"const": "no"}},
}
_RATE = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": TITLES[status], "content": content} for status in statuses}


def answering(status: int, *required: str, may: tuple[str, ...] = ()) -> dict[int | str, dict[str, Any]]:
    """The headers of a route's own answer: those that it always has, and those that it may have."""
    return {status: {"headers": headers(*required) | headers(*may, required=False)}}


def headers(*names: str, required: bool = True) -> dict[str, Any]:
    """Headers by name, as the document describes them."""
    return {name: {**_HEADERS[name], **({"required": True} if required else {})} for name in names}


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """Complete what the framework has made of the routes."""
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # the framework's own, which is not used
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    components["securitySchemes"] = _SECURITY
    for operations in schema["paths"].values():
        for operation in operations.values():
            _describe(operation)
    return schema


def _describe(operation: dict[str, Any]) -> None:
    responses: dict[str, dict[str, Any]] = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        responses.pop("422")
        responses |= {str(code): each for code, each in documented(422).items()}
    by_key = "401" in responses and WORKERS not in operation.get("tags", ())
    if "401" in responses:
        operation["security"] = [{"ApiKey": []}, {"Bearer": []}] if by_key else [{"WorkerToken": []}]
    responses |= {str(code): each for code, each in documented(500).items()}
    for status, response in responses.items():
        response["headers"] = {**_headers_of(status, by_key=by_key), **response.get("headers", {})}


def _headers_of(status: str, *, by_key: bool) -> Mapping[str, Any]:
    found = headers("X-Request-Id")
    match status:
        case "401":
            return found | headers("WWW-Authenticate")
        case "429":
            return found | headers(*_RATE, "Retry-After")
        case "503":  # also where the key itself could not be looked up
            return found | headers("Retry-After") | headers(*_RATE, required=False)
        case "500":
            return found | headers(*_RATE, required=False)
    return found | headers(*_RATE) if by_key else found
