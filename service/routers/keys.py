"""`/keys`: a tenant's API keys, for its admins."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from service.application.key_management import KeyRequest
from service.domain.keys import ApiKey, Scope
from service.domain.times import iso
from service.problems import ProblemError
from service.routers import views
from service.routers.access import GuardedRoute, KeyGate
from service.routers.dispatches import WHOLE, Moment, moment, storable
from service.routers.mapping import threaded
from service.routers.openapi import answering, documented
from service.services import Services

Scopes = Annotated[list[Annotated[Scope, Field(strict=False)]], Field(min_length=1, max_length=5)]
Repositories = Annotated[
    # GitHub's names have at most 39 and 100 characters. A longer pattern is an attack on what matches it.
    list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.*-]+/[A-Za-z0-9_.*-]+$", max_length=140)]],
    Field(max_length=50),
]


class KeyBody(BaseModel):
    """A key to make. `repositories`: patterns (`acme/*`) it may use the tenant's git token for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    scopes: Scopes
    name: Annotated[str, Field(max_length=100)] = ""
    expiresAt: Moment | None = None  # noqa: N815 - the API's spelling
    repositories: Repositories = Field(default_factory=list)


class KeyChange(BaseModel):
    """What to change of a key; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    scopes: Scopes | None = None
    name: Annotated[str | None, Field(max_length=100)] = None
    expiresAt: Moment | None = None  # noqa: N815
    repositories: Repositories | None = None


class Rotation(BaseModel):
    """For how many seconds the old key still works."""

    model_config = ConfigDict(extra="forbid", strict=True)

    overlapSeconds: Annotated[int, Field(ge=0, le=604_800), WHOLE] = 0  # noqa: N815


class NewKey(views.KeyView):
    """A key with its secret, which is shown this once."""

    key: str


class KeyList(BaseModel):
    """The tenant's keys, newest first."""

    keys: list[views.KeyView]


def _named(name: str) -> str:
    if not storable(name):
        raise ProblemError(422, "invalid-request", "body.name: not valid Unicode")
    return name


def make(services: Services) -> APIRouter:
    router = APIRouter(route_class=GuardedRoute, prefix="/keys", tags=["keys"])
    admin = Depends(KeyGate(services, Scope.ADMIN))
    errors = documented(400, 401, 403, 404, 413, 422, 429, 503)
    shown_once = answering(201, "Location", "Cache-Control")

    @router.post(
        "",
        status_code=201,
        response_model=NewKey,
        responses=documented(400, 401, 403, 413, 422, 429, 503) | shown_once,
    )
    async def create(body: KeyBody, key: Annotated[ApiKey, admin]) -> JSONResponse:
        """Make a key. The answer is the only place where it is ever shown."""
        request = KeyRequest(
            scopes=frozenset(body.scopes),
            name=_named(body.name),
            expires_at=moment("expiresAt", body.expiresAt),
            repositories=body.repositories,
        )
        made, secret = await threaded(lambda: services.keys.create(key, request))
        headers = {"Location": f"/keys/{made.api_key_id}", "Cache-Control": "no-store"}
        return JSONResponse(views.key(made) | {"key": secret}, status_code=201, headers=headers)

    @router.get("", response_model=KeyList, responses=documented(401, 403, 429, 503))
    async def listing(key: Annotated[ApiKey, admin]) -> JSONResponse:
        """The tenant's keys."""
        found = await threaded(lambda: services.keys.of_tenant(key.tenant_id))
        return JSONResponse({"keys": [views.key(each) for each in found]})

    @router.get("/{key_id}", response_model=views.KeyView, responses=documented(401, 403, 404, 429, 503))
    async def get(key_id: str, key: Annotated[ApiKey, admin]) -> JSONResponse:
        """One key."""
        return JSONResponse(views.key(await threaded(lambda: services.keys.get(key.tenant_id, key_id))))

    @router.patch("/{key_id}", response_model=views.KeyView, responses=errors)
    async def change(key_id: str, body: KeyChange, key: Annotated[ApiKey, admin]) -> JSONResponse:
        """Change scopes, name, expiry or repositories; effective within 10 seconds."""
        changes: dict[str, object] = {}
        if body.scopes is not None:
            changes["scopes"] = sorted(set(body.scopes))
        if body.name is not None:
            changes["name"] = _named(body.name)
        if body.repositories is not None:
            changes["repositories"] = body.repositories
        if body.expiresAt is not None:
            expires = moment("expiresAt", body.expiresAt)
            changes["expiresAt"] = iso(expires) if expires is not None else None
        if not changes:
            return JSONResponse(views.key(await threaded(lambda: services.keys.get(key.tenant_id, key_id))))
        changed = await threaded(lambda: services.keys.change(key.tenant_id, key_id, changes))
        return JSONResponse(views.key(changed))

    @router.post("/{key_id}/rotate", status_code=201, response_model=NewKey, responses=errors | shown_once)
    async def rotate(
        key_id: str, key: Annotated[ApiKey, admin], body: Rotation | None = None
    ) -> JSONResponse:
        """Make a key like this one, and end this one after the overlap."""
        overlap = body.overlapSeconds if body else 0
        made, secret = await threaded(lambda: services.keys.rotate(key.tenant_id, key_id, overlap))
        headers = {"Location": f"/keys/{made.api_key_id}", "Cache-Control": "no-store"}
        return JSONResponse(views.key(made) | {"key": secret}, status_code=201, headers=headers)

    @router.delete("/{key_id}", response_model=views.KeyView, responses=documented(401, 403, 404, 429, 503))
    async def revoke(key_id: str, key: Annotated[ApiKey, admin]) -> JSONResponse:
        """Revoke; it stops working on every replica within 10 seconds."""
        return JSONResponse(views.key(await threaded(lambda: services.keys.revoke(key.tenant_id, key_id))))

    return router
