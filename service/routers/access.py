"""Who may: the API key and its scope, the request rate, and the worker's token.

A gate stands before its route's body: nothing of a stranger's body is read, let alone parsed, and what a
known caller sends counts against its rate and is in the audit trail also when it turns out to be garbage.
"""

import ipaddress
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from service import log
from service.application.authentication import InvalidKeyError
from service.domain.keys import ApiKey, Scope
from service.domain.rates import Allowance
from service.domain.tokens import WorkerIdentity
from service.middleware import bounded
from service.problems import ProblemError
from service.routers.mapping import threaded, too_many_requests
from service.routers.refusals import forbidden, log_refusal, too_many_guesses, unauthorized
from service.services import Services

GUESSES_PER_MINUTE = 100  # keys that are none, from one address; each may cost a read of the table
T = TypeVar("T")


class Gate:
    """Lets a request in, or raises the problem that keeps it out; as a dependency, tells who came in."""

    async def admit(self, request: Request) -> None:
        """Called before the body is read. Raises `ProblemError`."""
        raise NotImplementedError


class GuardedRoute(APIRoute):
    """A route whose gate, if one of its dependencies is a gate, comes before everything else."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        called: list[object] = [each.call for each in self.dependant.dependencies]
        gates = [each for each in called if isinstance(each, Gate)]
        takes_body = self.body_field is not None

        async def guarded(request: Request) -> Response:
            for gate in gates:
                await gate.admit(request)
            return await handle(await bounded(request) if takes_body else request)

        return guarded


class KeyGate(Gate):
    """The API key that calls: valid, within its rate, and with one of the scopes.

    `posting`: the route posts dispatches, whose rate is counted with each of them (ADR 0021).
    """

    def __init__(self, services: Services, *scopes: Scope, posting: bool = False) -> None:
        self._services = services
        self._scopes = scopes
        self._posting = posting

    async def __call__(self, request: Request) -> ApiKey:
        key: ApiKey = request.state.key
        return key

    async def admit(self, request: Request) -> None:
        services = self._services
        presented = presented_key(request)
        try:
            if not presented:
                raise InvalidKeyError("wrong-header")
            key = await self._recognised(request, presented)
        except InvalidKeyError as error:
            request.state.key = error.key  # one that was revoked or has expired: its tenant's trail shows it
            raise unauthorized(request, error) from None
        services.authentication.count(key)
        log.bind(tenantId=key.tenant_id, apiKeyId=key.api_key_id)
        request.state.key = key
        request.state.presented_key = presented
        request.state.headers.update(self._within_rate(key).headers())
        if not any(key.allows(scope) for scope in self._scopes):
            raise forbidden(request, key, self._scopes[0])

    async def _recognised(self, request: Request, presented: str) -> ApiKey:
        """The key. A guess counts against its address, and costs a read only while that has some left."""
        authentication = self._services.authentication
        try:
            key = authentication.recall(presented)
            if key is None and authentication.familiar(presented):
                key = await threaded(lambda: authentication.look_up(presented))
        except InvalidKeyError:
            self._guess(request)
            raise
        return key or await self._looked_up(request, presented)

    async def _looked_up(self, request: Request, presented: str) -> ApiKey:
        self._guess(request)
        guessed = False
        try:
            return await threaded(lambda: self._services.authentication.look_up(presented))
        except InvalidKeyError:
            guessed = True
            raise
        finally:
            if not guessed:
                self._services.guesses.give_back(source_of(request))

    def _guess(self, request: Request) -> None:
        source = source_of(request)
        allowance = self._services.guesses.take(source, GUESSES_PER_MINUTE, self._services.clock())
        if not allowance.granted:
            raise too_many_guesses(source, allowance)

    def _within_rate(self, key: ApiKey) -> Allowance:
        """Raises the 429; else what the X-RateLimit headers tell."""
        services = self._services
        limit = services.settings.limits.of(key).requests_per_minute
        if self._posting:
            allowance = services.posts.take(key.api_key_id, limit, services.clock())
        else:
            shares = services.fleet.state.replicas
            allowance = services.requests.take(key.api_key_id, limit, services.clock(), shares=shares)
        if not allowance.granted:
            log_refusal(key, "rate-limited", allowance.retry_after)
            raise too_many_requests(allowance)
        return allowance


class WorkerGate(Gate):
    """The worker whose token this is: one attempt of one dispatch."""

    def __init__(self, services: Services) -> None:
        self._tokens = services.tokens

    async def __call__(self, request: Request) -> WorkerIdentity:
        identity: WorkerIdentity = request.state.worker
        return identity

    async def admit(self, request: Request) -> None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        identity = self._tokens.read(token.strip()) if kind.lower() == "bearer" else None
        if identity is None:
            raise ProblemError(
                401,
                "invalid-worker-token",
                "Invalid worker token",
                headers={"WWW-Authenticate": 'Bearer realm="outpost-worker"'},
            )
        log.bind(tenantId=identity.tenant_id, dispatchId=identity.dispatch_id)
        request.state.worker = identity


def presented_key(request: Request) -> str:
    """What was sent as a key: `X-API-Key`, or a bearer token. Empty for nothing."""
    found = request.headers.get("x-api-key", "")
    if found:
        return found
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def source_of(request: Request) -> str:
    """The caller's address: the last that X-Forwarded-For names, which is the load balancer's own entry.

    IPv6 by its first 64 bits: one customer has at least so many addresses.
    """
    forwarded = request.headers.getlist("x-forwarded-for")
    address = forwarded[-1].rpartition(",")[2].strip() if forwarded else ""
    address = address or (request.client.host if request.client else "")
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
