"""`/dispatch`: post, list, get, cancel."""

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from starlette.responses import JSONResponse

from outpost.agents import Agent
from outpost.dispatch import Status
from service.application.dispatches import NotFoundError
from service.application.log_reading import BadCursorError
from service.domain.events import CancelRequested
from service.domain.job import Job
from service.domain.keys import ApiKey, Scope
from service.domain.ports import Filters
from service.domain.requests import (
    BRANCH,
    CONTEXT_LENGTH,
    DEFAULT_TIMEOUT_SECONDS,
    REPOSITORY,
    TASK_LENGTH,
    TIMEOUT_SECONDS,
    WEBHOOK,
    DispatchRequest,
    branch_is_valid,
    repository_is_valid,
    webhook_is_valid,
)
from service.domain.times import MOMENT, from_iso
from service.domain.workspaces import WORKSPACE_ID
from service.problems import ProblemError
from service.routers import views
from service.routers.access import GuardedRoute, KeyGate
from service.routers.mapping import threaded
from service.routers.openapi import answering, documented
from service.routers.refusals import log_refusal
from service.services import Services
from service.turns import Turns

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
TagName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/+@-]{1,64}$")]
Moment = Annotated[str, Field(pattern=MOMENT, max_length=40, json_schema_extra={"format": "date-time"})]
TAG = r"^[A-Za-z0-9_.:/+@-]{1,64}=[ -~]{0,256}$"
CURSOR = r"^[A-Za-z0-9_-]+$"
POSTS_AT_ONCE = 4  # of one tenant: a burst leaves the 40 threads of a replica to the others
# A branch means nothing without a repository; this says so to whoever reads the document.
_BRANCH_NEEDS_REPOSITORY: dict[str, Any] = {
    "if": {"required": ["branch"], "properties": {"branch": {"type": "string"}}},
    "then": {"required": ["repository"], "properties": {"repository": {"type": "string"}}},
}
# A workspace's id means nothing in ephemeral mode.
_ID_NEEDS_PERSISTENT: dict[str, Any] = {
    "if": {"required": ["workspaceId"], "properties": {"workspaceId": {"type": "string"}}},
    "then": {"required": ["workspace"], "properties": {"workspace": {"const": "persistent"}}},
}


def _whole(value: object) -> object:
    """JSON has one kind of number: 60.0 is as good an integer as 60."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)  # after the bounds, which else are lost from the OpenAPI document


class DispatchBody(BaseModel):
    """What to do, where and for how long. A field that is not known is an error, never dropped."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"allOf": [_BRANCH_NEEDS_REPOSITORY, _ID_NEEDS_PERSISTENT]},
    )

    agent: Annotated[Agent, Field(strict=False)]
    task: Annotated[str, Field(min_length=1, max_length=TASK_LENGTH, pattern=r"[!-~]|[^ -~\s]")]
    repository: Annotated[str | None, Field(max_length=1024, pattern=REPOSITORY)] = None
    branch: Annotated[str | None, Field(max_length=255, pattern=BRANCH)] = None
    model: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$")] = None
    context: Annotated[str | None, Field(max_length=CONTEXT_LENGTH)] = None
    timeoutSeconds: Annotated[int, Field(ge=TIMEOUT_SECONDS[0], le=TIMEOUT_SECONDS[1]), WHOLE] = (  # noqa: N815
        DEFAULT_TIMEOUT_SECONDS
    )
    workspace: Literal["ephemeral", "persistent"] = "ephemeral"
    workspaceId: Annotated[str | None, Field(pattern=f"^{WORKSPACE_ID}$")] = None  # noqa: N815
    webhookUrl: Annotated[str | None, Field(max_length=1024, pattern=WEBHOOK)] = None  # noqa: N815
    tags: Annotated[
        dict[TagName, Annotated[str, Field(max_length=256)]],
        Field(max_length=20, json_schema_extra={"additionalProperties": False}),
    ] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _repo_is_repository(cls, given: object) -> object:
        """`repo` is taken as a shorter spelling; both at once are an unknown field."""
        if isinstance(given, dict) and "repo" in given and "repository" not in given:
            return {("repository" if name == "repo" else name): value for name, value in given.items()}
        return given

    def request(self, *, local: bool) -> DispatchRequest:
        """The validated request. Raises `ProblemError` for what a type cannot say."""
        repository = self.repository
        if repository is not None and not repository_is_valid(repository, local=local):
            raise _invalid("repository", "Not `owner/name` nor an https URL without credentials.")
        if self.branch is not None and not branch_is_valid(self.branch):
            raise _invalid("branch", "Not a branch name that git allows.")
        if self.branch is not None and repository is None:
            raise _invalid("branch", "A branch needs a repository.")
        if self.workspaceId is not None and self.workspace != "persistent":
            raise _invalid("workspaceId", 'A workspace needs `workspace: "persistent"`.')
        for field, text in (("task", self.task), ("context", self.context or "")):
            if not storable(text):
                raise _invalid(field, "Not valid Unicode: it contains half of a surrogate pair.")
        if self.webhookUrl is not None and not webhook_is_valid(self.webhookUrl, local=local):
            raise _invalid("webhookUrl", "Not an https URL without credentials.")
        if not all(storable(value) for value in self.tags.values()):
            raise _invalid("tags", "Not valid Unicode: it contains half of a surrogate pair.")
        return DispatchRequest(
            agent=self.agent,
            task=self.task,
            repository=repository,
            branch=self.branch,
            model=self.model,
            context=self.context,
            timeout_seconds=self.timeoutSeconds,
            workspace=self.workspace,
            workspace_id=self.workspaceId,
            tags=self.tags,
            webhook_url=self.webhookUrl,
        )


def storable(text: str) -> bool:
    """JSON can spell lone surrogates, which UTF-8, and so DynamoDB, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _invalid(field: str, message: str) -> ProblemError:
    problem = f"body.{field}: {message}"
    return ProblemError(
        422, "invalid-request", problem, extra={"errors": [{"field": f"body.{field}", "message": message}]}
    )


def known_id(dispatch_id: str) -> str:
    """The id in its one spelling. Raises `NotFoundError` for what cannot be one, without asking the table."""
    if not _ULID.fullmatch(dispatch_id.upper()):
        raise NotFoundError(dispatch_id)
    return dispatch_id.upper()


def _body_hash(body: DispatchBody) -> str:
    given = body.model_dump()
    if body.workspaceId is None:  # as it was before there were workspaces: keys live for a day
        del given["workspaceId"]
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def cursor_of(dispatch_id: str) -> str:
    return urlsafe_b64encode(f"d:{dispatch_id}".encode()).decode().rstrip("=")


def place_of(cursor: str | None) -> str | None:
    """The dispatch after which the page starts. Raises `BadCursorError`."""
    if cursor is None:
        return None
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except ValueError:
        text = ""
    if not text.startswith("d:") or not _ULID.fullmatch(text[2:]):
        raise BadCursorError(cursor)
    return text[2:]


def moment(name: str, text: str | None) -> float | None:
    """Epoch seconds of a query parameter. Raises `ProblemError`."""
    try:
        return None if text is None else from_iso(text)
    except (ValueError, OverflowError):
        raise ProblemError(422, "invalid-request", f"{name}: there is no such time") from None


def make(services: Services) -> APIRouter:
    router = APIRouter(route_class=GuardedRoute, prefix="/dispatch", tags=["dispatches"])
    may_dispatch = Depends(KeyGate(services, Scope.DISPATCH, posting=True))
    may_see = Depends(KeyGate(services, Scope.STATUS))
    turns = Turns(POSTS_AT_ONCE)
    may_cancel = Depends(KeyGate(services, Scope.CANCEL))

    def _refused(key: ApiKey, problem: ProblemError) -> None:
        log_refusal(key, problem.code, int(problem.headers["Retry-After"]))
        if problem.code == "rate-limited":  # by the table, for all replicas: what follows need not ask it
            limit = services.settings.limits.of(key).requests_per_minute
            services.posts.exhausted(key.api_key_id, limit, services.clock())

    def show(job: Job) -> dict[str, object]:
        return views.dispatch(job, services.board.outlook(job))

    @router.post(
        "",
        status_code=202,
        response_model=views.DispatchView,
        responses=documented(400, 401, 403, 404, 409, 413, 422, 429, 503)
        | answering(202, "Location", may=("Idempotency-Replayed",)),
    )
    async def post(
        body: DispatchBody,
        key: Annotated[ApiKey, may_dispatch],
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    ) -> JSONResponse:
        """Accept a dispatch. With the same `Idempotency-Key` and body it is accepted once, for 24 hours."""
        request = body.request(local=services.settings.local_region)
        if request.workspace == "persistent":
            services.workspaces.enabled(key.tenant_id)
        try:
            async with turns.of(key.tenant_id):
                job, replayed = await threaded(
                    lambda: services.dispatches.accept(
                        request, key, idempotency_key=idempotency_key, body_hash=_body_hash(body)
                    )
                )
        except ProblemError as problem:
            if problem.status == 429:
                _refused(key, problem)
            raise
        headers = {"Location": f"/dispatch/{job.dispatch_id}"}
        if replayed:
            headers["Idempotency-Replayed"] = "true"
        return JSONResponse(show(job), status_code=202, headers=headers)

    @router.get("", response_model=views.DispatchList, responses=documented(401, 403, 404, 422, 429, 503))
    async def listing(
        key: Annotated[ApiKey, may_see],
        status: Status | None = None,
        agent: Agent | None = None,
        created_after: Annotated[Moment | None, Query(alias="createdAfter")] = None,
        created_before: Annotated[Moment | None, Query(alias="createdBefore")] = None,
        tag: Annotated[str | None, Query(pattern=TAG, description="`name=value`")] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        cursor: Annotated[str | None, Query(max_length=128, pattern=CURSOR)] = None,
    ) -> JSONResponse:
        """The tenant's dispatches, newest first. A page may be short; only a missing cursor is the end."""
        name, equals, value = (tag or "").partition("=")
        filters = Filters(
            status=status,
            agent=agent,
            created_after=moment("createdAfter", created_after),
            created_before=moment("createdBefore", created_before),
            tag=(name, value) if equals else None,
        )
        after = place_of(cursor)
        page = await threaded(lambda: services.dispatches.store.page(key.tenant_id, filters, after, limit))
        body: dict[str, object] = {"dispatches": [show(job) for job in page.jobs]}
        if page.last is not None:
            body["cursor"] = cursor_of(page.last)
        return JSONResponse(body)

    @router.get(
        "/{dispatch_id}", response_model=views.DispatchView, responses=documented(401, 403, 404, 429, 503)
    )
    async def get(dispatch_id: str, key: Annotated[ApiKey, may_see]) -> JSONResponse:
        """One dispatch: one read, none once it has ended and been seen."""
        job = services.dispatches.cached(key.tenant_id, dispatch_id)
        if job is None:
            job = await threaded(lambda: services.dispatches.get(key.tenant_id, known_id(dispatch_id)))
        return JSONResponse(show(job))

    @router.delete(
        "/{dispatch_id}",
        status_code=202,
        response_model=views.DispatchView,
        responses=documented(401, 403, 404, 409, 429, 503),
    )
    async def cancel(dispatch_id: str, key: Annotated[ApiKey, may_cancel]) -> JSONResponse:
        """Cancel. It is CANCELLED once its container is proven gone, CANCELLING until then."""
        event = CancelRequested(reason=f"by key {key.api_key_id}")
        decision = await threaded(
            lambda: services.dispatches.apply(key.tenant_id, known_id(dispatch_id), event)
        )
        if decision.refusal is not None:
            raise ProblemError(409, decision.refusal.code, f"The dispatch has ended ({decision.job.status}).")
        return JSONResponse(show(decision.job), status_code=202)

    return router
