"""Where errors become answers: those of the routes, of the framework, and those that nobody expected."""

import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.application.assignments import RefusedError
from service.application.dispatches import NotFoundError
from service.application.key_management import KeyNotFoundError
from service.application.log_reading import BadCursorError
from service.domain.ports import UnavailableError
from service.problems import ProblemError, internal, render
from service.routers.mapping import WORKSPACE_ERRORS, problem_of

_STATUS_CODES = {404: "not-found", 405: "method-not-allowed", 400: "malformed-request"}


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
    return ["GET"]  # the document itself
