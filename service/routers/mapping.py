"""Every error that a use case may raise, as the problem that a client is told."""

from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from service import log
from service.application.assignments import RefusedError
from service.application.dispatches import NotFoundError
from service.application.key_management import KeyNotFoundError
from service.application.log_reading import BadCursorError
from service.domain.ports import (
    AdmissionError,
    Failing,
    KeyReusedError,
    PersistentModeError,
    UnavailableError,
    WorkspaceInUseError,
    WorkspaceLimitError,
    WorkspaceNotFoundError,
)
from service.domain.rates import Allowance
from service.problems import ProblemError, internal

T = TypeVar("T")
RETRY_SECONDS = 2  # what was throttled or not answered may work then
MENDED_SECONDS = 30  # what an operator has to mend will not work much sooner
UNREACHABLE = "health-check-failing/dynamodb-unreachable"
LIMITED = "client-failing/rate-limited"
WORKSPACE_ERRORS = (PersistentModeError, WorkspaceInUseError, WorkspaceLimitError, WorkspaceNotFoundError)


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


def too_many_requests(allowance: Allowance) -> ProblemError:
    """The 429 of a key that has used its minute."""
    return ProblemError(
        429,
        "rate-limited",
        f"More than {allowance.limit} requests a minute with this key.",
        remedy=f"Try again in {allowance.retry_after} s; the client library does so by itself.",
        runbook=LIMITED,
        headers=allowance.headers(),
    )


def _admission(error: AdmissionError) -> ProblemError:
    allowance = Allowance.none(error.maximum, error.reset)
    if error.limit == "rate":
        return too_many_requests(allowance)
    active = error.limit == "active"
    what = "dispatches that have not ended" if active else "dispatches a day"
    return ProblemError(
        429,
        "tenant-active-limit" if active else "tenant-daily-limit",
        f"The tenant has reached its limit of {error.maximum} {what}.",
        remedy="Wait until one ends, or ask for a higher limit." if active else "Try again tomorrow (UTC).",
        runbook=LIMITED,
        headers=allowance.headers(),
    )


def _unavailable(error: UnavailableError) -> ProblemError:
    """What AWS did not do, by whose turn it is to mend it: a defect of ours is no outage."""
    if error.failing is Failing.INVALID:
        log.exception("AWS cannot be asked like that", event="uncaught-error", code=error.code)
        return internal()
    log.warning(
        "AWS call failed", event="aws-error", operation=error.service, code=error.code, error=str(error)
    )
    again = "Try again; nothing was changed, or the Idempotency-Key makes it safe."
    operators = "The operator has to mend this; the runbook says how."
    match error.failing:
        case Failing.THROTTLED:
            code, told, remedy, wait = "dependency-throttled", "is throttling", again, RETRY_SECONDS
        case Failing.DENIED:
            code, told, remedy, wait = "dependency-denied", "denies access", operators, MENDED_SECONDS
        case Failing.MISSING:
            code, told, remedy, wait = "dependency-missing", "lacks a resource", operators, MENDED_SECONDS
        case _:
            code, told, remedy, wait = "dependency-unavailable", "did not answer", again, RETRY_SECONDS
    return ProblemError(
        503,
        code,
        f"{error.service} {told} ({error.code}).",
        remedy=remedy,
        runbook=_runbook(error),
        headers={"Retry-After": str(wait)},
    )


def _runbook(error: UnavailableError) -> str:
    if error.service == "dynamodb":
        return "dynamodb-throttling" if error.failing is Failing.THROTTLED else UNREACHABLE
    if error.service == "s3":
        causes = {Failing.DENIED: "missing-permission", Failing.MISSING: "wrong-bucket-name"}
        cause = causes.get(error.failing)
        return f"s3-access-denied/{cause}" if cause else ""
    return ""
