"""Who may: the API key and its scope, the request rate, and the worker's token."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from outpost.api_keys import KEY_FORM, PREFIX_LENGTH
from service import log
from service.application.authentication import InvalidKeyError
from service.domain.keys import ApiKey, Scope
from service.domain.tokens import WorkerIdentity
from service.problems import ProblemError
from service.routers.errors import threaded
from service.services import Services

HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="`otp_` and 64 hex digits")
BEARER = HTTPBearer(auto_error=False, description="The same key as a bearer token")
Caller = Callable[..., Awaitable[ApiKey]]


def caller(services: Services, *scopes: Scope) -> Caller:
    """A dependency: the key that calls, if it is valid, has one of the scopes and is within its rate."""

    async def authenticated(
        request: Request,
        header: Annotated[str | None, Security(HEADER)] = None,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None,
    ) -> ApiKey:
        presented = header or (bearer.credentials if bearer else None)
        try:
            if not presented:
                raise InvalidKeyError("wrong-header")
            key = services.authentication.recall(presented)
            if key is None:
                key = await threaded(lambda: services.authentication.look_up(presented))
        except InvalidKeyError as error:
            raise _unauthorized(request, error) from None
        services.authentication.count(key)
        log.bind(tenantId=key.tenant_id, apiKeyId=key.api_key_id)
        request.state.key = key
        request.state.presented_key = presented
        _within_rate(services, request, key)
        if not any(key.allows(scope) for scope in scopes):
            raise _forbidden(request, key, scopes[0])
        return key

    return authenticated


def _unauthorized(request: Request, error: InvalidKeyError) -> ProblemError:
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


def _forbidden(request: Request, key: ApiKey, scope: Scope) -> ProblemError:
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


def _within_rate(services: Services, request: Request, key: ApiKey) -> None:
    """Raises the 429; else leaves the X-RateLimit headers for the response."""
    limits = services.settings.limits.of(key)
    allowance = services.rates.take(
        key.api_key_id, limits.requests_per_minute, services.fleet.state.replicas, services.clock()
    )
    if allowance.granted:
        request.state.headers.update(allowance.headers())
        return
    log_refusal(key, "rate-limited", allowance.retry_after)
    raise ProblemError(
        429,
        "rate-limited",
        f"More than {limits.requests_per_minute} requests a minute with this key.",
        remedy=f"Try again in {allowance.retry_after} s; the client library does so by itself.",
        runbook="client-failing/rate-limited",
        headers=allowance.headers(),
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


def worker(services: Services) -> Callable[..., Awaitable[WorkerIdentity]]:
    """A dependency: the worker whose token this is."""

    async def identified(request: Request) -> WorkerIdentity:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        identity = services.tokens.read(token.strip()) if kind.lower() == "bearer" else None
        if identity is None:
            raise ProblemError(401, "invalid-worker-token", "Invalid worker token")
        log.bind(tenantId=identity.tenant_id, dispatchId=identity.dispatch_id)
        return identity

    return identified
