"""Who is kept out, and what that leaves in the log: the lines by which the runbooks tell who and why."""

from fastapi import Request

from outpost.api_keys import KEY_FORM, PREFIX_LENGTH
from service import log
from service.application.authentication import InvalidKeyError
from service.domain.keys import ApiKey, Scope
from service.domain.rates import Allowance
from service.problems import ProblemError


def unauthorized(request: Request, error: InvalidKeyError) -> ProblemError:
    """401, with the guide's cause."""
    sent_in, astray = _sent_in(request) if error.code == "wrong-header" else (None, None)
    log.warning(
        "invalid API key",
        event="auth-refused",
        code=error.code,
        keyPrefix=error.key_prefix or astray,
        route=request.url.path,
        sentIn=sent_in,
    )
    return ProblemError(
        401,
        error.code,
        "Invalid API key",
        remedy="Send a valid key in X-API-Key, or as a bearer token.",
        runbook=f"unauthorized/{error.code}",
        headers={"WWW-Authenticate": 'Bearer realm="outpost"'},
    )


def _sent_in(request: Request) -> tuple[str | None, str | None]:
    """The header in which a key came that belongs into another one, and what of the key may be shown."""
    for name, value in request.headers.items():
        given = value.removeprefix("Bearer ")
        if given.startswith("otp_"):
            return name, given[:PREFIX_LENGTH] if KEY_FORM.fullmatch(given) else None
    return None, None


def too_many_guesses(source: str, allowance: Allowance) -> ProblemError:
    """429 for an address that has sent too many wrong keys; the same whether or not this one is right."""
    log.warning("too many invalid keys", event="auth-throttled", source=source)
    log.metric("RequestsRefused", code="too-many-invalid-keys")
    return ProblemError(
        429,
        "too-many-invalid-keys",
        "Too many invalid API keys from this address.",
        remedy=f"Correct the key, and try again in {allowance.retry_after} s.",
        runbook="unauthorized/key-not-found",
        headers=allowance.headers(),
    )


def forbidden(request: Request, key: ApiKey, scope: Scope) -> ProblemError:
    """403, with the scope that is missing."""
    log.warning(
        "insufficient scope",
        event="scope-missing",
        scope=scope,
        apiKeyId=key.api_key_id,
        keyPrefix=key.key_prefix,
        route=request.url.path,
    )
    return ProblemError(
        403,
        "insufficient-scope",
        f"Insufficient scope: this needs `{scope}`.",
        remedy=f"Add the scope `{scope}` to the key, or use another key.",
        runbook="forbidden" if scope is Scope.CANCEL else f"forbidden/missing-{scope}-scope",
        extra={"missingScope": scope},
    )


def log_refusal(key: ApiKey, code: str, retry_after: int) -> None:
    """One line for each 429, by which the runbooks tell who is limited."""
    log.warning(
        "limit reached",
        event="rate-limited",
        code=code,
        apiKeyId=key.api_key_id,
        keyPrefix=key.key_prefix,
        retryAfter=retry_after,
    )
    log.metric("RequestsRefused", code=code)
