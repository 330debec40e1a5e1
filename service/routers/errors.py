"""Every error that a use case may raise, as a problem; and what the framework itself refuses."""

import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service import log
from service.application.assignments import RefusedError
from service.application.dispatches import NotFoundError
from service.application.key_management import KeyNotFoundError
from service.application.log_reading import BadCursorError
from service.domain.ports import (
    AdmissionError,
    KeyReusedError,
    PersistentModeError,
    UnavailableError,
    WorkspaceInUseError,
    WorkspaceLimitError,
    WorkspaceNotFoundError,
)
from service.domain.times import seconds_to_next_day
from service.problems import TITLES, ProblemError, internal, render
from service.routers.views import Problem

T = TypeVar("T")
ACTIVE_RETRY_SECONDS = 30  # a place among the active ones is free as soon as one of them ends
_THROTTLED = {"ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"}
WORKSPACE_ERRORS = (PersistentModeError, WorkspaceInUseError, WorkspaceLimitError, WorkspaceNotFoundError)
_ACCESS = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer, for the OpenAPI document."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": TITLES[status], "content": content} for status in statuses}


async def threaded(action: Callable[[], T]) -> T:
    """Run a use case that waits for AWS off the event loop; its errors come back as problems."""
    try:
        return await run_in_threadpool(action)
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        raise problem from error


def problem_of(error: Exception) -> ProblemError | None:
    """The problem that a use case's error is, or None for an unexpected one."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, NotFoundError):
        return ProblemError(404, "dispatch-not-found", "There is no such dispatch.")
    if isinstance(error, KeyNotFoundError):
        return ProblemError(404, "key-not-found", "There is no such key.")
    if isinstance(error, BadCursorError):
        return ProblemError(404, "invalid-cursor", "There is no such cursor.")
    if isinstance(error, RefusedError):
        return ProblemError(409, error.refusal.code, error.refusal.message)
    if isinstance(error, KeyReusedError):
        return ProblemError(
            409,
            "idempotency-key-reused",
            "This Idempotency-Key was used before, with another body.",
            remedy="Use a new key for a new request.",
        )
    if isinstance(error, WORKSPACE_ERRORS):
        return _workspace(error)
    if isinstance(error, AdmissionError):
        return _admission(error)
    return _unavailable(error) if isinstance(error, UnavailableError) else None


def _workspace(error: Exception) -> ProblemError:
    if isinstance(error, WorkspaceNotFoundError):
        return ProblemError(404, "workspace-not-found", "There is no such workspace.")
    if isinstance(error, WorkspaceInUseError):
        return ProblemError(
            409,
            "workspace-in-use",
            "A dispatch that has not ended uses this workspace.",
            remedy="Wait until it ends, or cancel it.",
        )
    if isinstance(error, WorkspaceLimitError):
        return ProblemError(
            409,
            "workspace-limit",
            f"The tenant has {error.maximum} workspaces, which is the limit.",
            remedy="Delete one that is not needed any more.",
        )
    return ProblemError(
        409,
        "persistent-mode-disabled",
        "Persistent workspaces are not enabled for this tenant.",
        remedy="Dispatch with an ephemeral workspace, or ask the operator to add the tenant to the stack's "
        "setting persistentTenants and to deploy.",
    )


def _admission(error: AdmissionError) -> ProblemError:
    active = error.limit == "active"
    retry = ACTIVE_RETRY_SECONDS if active else seconds_to_next_day(time.time())
    what = "dispatches that have not ended" if active else "dispatches a day"
    return ProblemError(
        429,
        "tenant-active-limit" if active else "tenant-daily-limit",
        f"The tenant has reached its limit of {error.maximum} {what}.",
        remedy="Wait until one ends, or ask for a higher limit." if active else "Try again tomorrow (UTC).",
        runbook="client-failing/rate-limited",
        headers={"Retry-After": str(retry)},
    )


def _unavailable(error: UnavailableError) -> ProblemError:
    log.warning(
        "AWS call failed", event="aws-error", operation=error.service, code=error.code, error=str(error)
    )
    runbook = ""
    if error.service == "dynamodb":
        runbook = (
            "health-check-failing/dynamodb-unreachable" if error.code in _ACCESS else "dynamodb-throttling"
        )
    elif error.service == "s3" and error.code in _ACCESS:
        runbook = "s3-access-denied/missing-permission"
    return ProblemError(
        503,
        "dependency-unavailable",
        f"{error.service} did not answer ({error.code}).",
        remedy="Try again; nothing was changed, or the Idempotency-Key makes it safe.",
        runbook=runbook,
        headers={"Retry-After": "2"},
    )


def _validation(error: RequestValidationError) -> ProblemError:
    found = [
        {"field": ".".join(str(part) for part in each["loc"]), "message": each["msg"]}
        for each in error.errors()
    ]
    if any(each["type"] == "json_invalid" for each in error.errors()):
        return ProblemError(400, "malformed-json", "The body is not JSON.", extra={"errors": found})
    first = found[0] if found else {"field": "", "message": "invalid"}
    return ProblemError(
        422, "invalid-request", f"{first['field']}: {first['message']}", extra={"errors": found}
    )


_STATUS_CODES = {404: "not-found", 405: "method-not-allowed", 400: "malformed-request"}


def install(app: FastAPI) -> None:
    """Render every error of the routes and of the framework as a problem."""

    def answer(request: Request, problem: ProblemError) -> Response:
        return render(problem, request.state.request_id, request.url.path)

    async def problems(request: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)
        return answer(request, error)

    async def validations(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(request, _validation(error))

    async def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = _STATUS_CODES.get(error.status_code, "refused")
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(allowed_methods(app.openapi(), request.url.path))
        return answer(request, ProblemError(error.status_code, code, str(error.detail), headers=headers))

    async def use_case(request: Request, error: Exception) -> Response:
        return answer(request, problem_of(error) or internal())

    expected = (NotFoundError, KeyNotFoundError, BadCursorError, RefusedError, UnavailableError)
    for kind in (*expected, *WORKSPACE_ERRORS, Exception):
        app.add_exception_handler(kind, use_case)
    app.add_exception_handler(ProblemError, problems)
    app.add_exception_handler(RequestValidationError, validations)
    app.add_exception_handler(HTTPException, framework)


def allowed_methods(schema: dict[str, Any], path: str) -> list[str]:
    """What the document allows on a path; the framework itself only knows the first route that matches."""
    for template, operations in schema["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
            return sorted(method.upper() for method in operations)
    return ["POST"]  # the workers' routes, which the document leaves out


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """Add the problem's schema, and drop the framework's own validation schema, which is not used."""
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    for operations in schema["paths"].values():
        for operation in operations.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                operation["responses"] |= {str(code): each for code, each in documented(422).items()}
    return schema
