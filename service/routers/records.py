"""What is recorded: the audit trail and the webhooks' deliveries."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse

from service.application.log_reading import BadCursorError
from service.domain.keys import ApiKey, Scope
from service.routers.access import GuardedRoute, KeyGate
from service.routers.dispatches import CURSOR, known_id
from service.routers.mapping import threaded
from service.routers.openapi import answering, documented
from service.services import Services


class Entry(BaseModel):
    """One call or one access to a secret."""

    model_config = ConfigDict(extra="allow")

    auditId: str  # noqa: N815 - the API's spelling
    at: str
    action: str


class Trail(BaseModel):
    """Entries, newest first; no `cursor` means no more."""

    entries: list[Entry]
    cursor: str | None = None


class Delivery(BaseModel):
    """One try of a webhook; `status` 0 means that there was no answer."""

    at: str
    status: int
    delivered: bool
    error: str


class Deliveries(BaseModel):
    """The tries, oldest first."""

    deliveries: list[Delivery]


class SigningSecret(BaseModel):
    """What signs the tenant's webhooks: `Outpost-Signature: t=EPOCH,v1=HMAC-SHA-256 of EPOCH.BODY`."""

    secret: str


def _place(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError as error:
        raise BadCursorError(cursor) from error
    if not text.startswith("a:") or len(text) != 28 or not text[2:].isalnum():
        raise BadCursorError(cursor)
    return text[2:]


def make(services: Services) -> APIRouter:
    router = APIRouter(route_class=GuardedRoute, tags=["records"])
    admin = Depends(KeyGate(services, Scope.ADMIN))

    @router.get("/audit", response_model=Trail, responses=documented(401, 403, 404, 422, 429, 503))
    async def audit(
        key: Annotated[ApiKey, admin],
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        cursor: Annotated[str | None, Query(max_length=128, pattern=CURSOR)] = None,
    ) -> JSONResponse:
        """Who called what, of this tenant. Entries appear within seconds."""
        page = await threaded(lambda: services.audit.store.page(key.tenant_id, _place(cursor), limit))
        hidden = ("ttl", "tenantId")
        body: dict[str, Any] = {
            "entries": [{name: each[name] for name in each if name not in hidden} for each in page.entries]
        }
        if page.last is not None:
            body["cursor"] = urlsafe_b64encode(f"a:{page.last}".encode()).decode().rstrip("=")
        return JSONResponse(body)

    @router.get(
        "/dispatch/{dispatch_id}/deliveries",
        response_model=Deliveries,
        responses=documented(401, 403, 404, 429, 503),
    )
    async def deliveries(
        dispatch_id: str, key: Annotated[ApiKey, Depends(KeyGate(services, Scope.STATUS))]
    ) -> JSONResponse:
        """Every try of the dispatch's webhook."""
        job = await threaded(lambda: services.dispatches.fresh(key.tenant_id, known_id(dispatch_id)))
        return JSONResponse({"deliveries": [dict(each) for each in job.deliveries]})

    @router.get(
        "/webhooks/secret",
        response_model=SigningSecret,
        responses=documented(401, 403, 429, 503) | answering(200, "Cache-Control"),
    )
    async def secret(key: Annotated[ApiKey, admin]) -> JSONResponse:
        """The secret by which the receiver checks signatures."""
        services.audit.record(key.tenant_id, "secret webhook-signing", apiKeyId=key.api_key_id)
        found = services.notifying.secret(key.tenant_id)
        return JSONResponse({"secret": found}, headers={"Cache-Control": "no-store"})

    return router
