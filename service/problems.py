"""Errors as RFC 9457 problem details: one shape, one place where it is rendered."""

import json
from collections.abc import Mapping

from starlette.responses import Response

from outpost.errors import OutpostError

GUIDE = "docs/TROUBLESHOOTING.md"  # a URI reference, as RFC 9457 allows
MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    410: "Gone",
    413: "Payload too large",
    415: "Unsupported media type",
    422: "Unprocessable content",
    429: "Too many requests",
    500: "Internal error",
    502: "Bad gateway",
    503: "Service unavailable",
}


class ProblemError(OutpostError):
    """An error with an HTTP status. `runbook` is `issue` or `issue/cause` of the guide."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        remedy: str = "",
        runbook: str = "",
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(code, message, remedy=remedy)
        self.status = status
        self.runbook = runbook
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


def internal() -> ProblemError:
    """The one problem whose cause is not told; the log has it."""
    return ProblemError(
        500, "internal-error", "Something went wrong here.", remedy="Tell the operator the requestId."
    )


def render(problem: ProblemError, request_id: str, instance: str) -> Response:
    """The response. `type` is the runbook that explains it, where there is one."""
    anchor = problem.runbook.replace("/", "-")
    body: dict[str, object] = {
        "type": f"{GUIDE}#{anchor}" if anchor else "about:blank",
        "title": TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.message,
        "message": problem.message,
        "instance": instance,
        "requestId": request_id,
    }
    if problem.remedy:
        body["remedy"] = problem.remedy
    if problem.runbook:
        body["runbook"] = problem.runbook
    body |= problem.extra
    return Response(
        # A problem may quote what was sent, and JSON can spell halves of surrogate pairs, which UTF-8 cannot.
        json.dumps(body, ensure_ascii=False).encode(errors="replace"),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )
