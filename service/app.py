"""The composition root: settings in, a running application out."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from outpost import VERSION
from service import outbound
from service.application.assignments import Assignments
from service.application.audit import Audit
from service.application.authentication import Authentication
from service.application.dispatches import Dispatches
from service.application.fleet import Fleet
from service.application.following import Follower
from service.application.key_management import KeyManagement
from service.application.launching import Launcher
from service.application.log_reading import LogReading
from service.application.notifying import Notifying
from service.application.pool import PooledTasks, WarmPool
from service.application.promoting import Forge, Promoting
from service.application.queueing import QueueBoard
from service.application.reconciling import Reconciler
from service.application.workspaces import Workspaces
from service.aws.audit import DynamoAudit
from service.aws.clients import Clients
from service.aws.coordination import DynamoCoordination
from service.aws.items import SHARDS
from service.aws.jobs import DynamoJobs
from service.aws.keys import DynamoKeys
from service.aws.queues import SqsQueue
from service.aws.slots import DynamoSlots
from service.aws.stores import CloudWatchLogs, S3Artifacts, SecretsManager
from service.aws.tasks import EcsTasks, evidence_of
from service.aws.wire import WiredDynamoDB, WiredSqs
from service.aws.workspaces import DynamoWorkspaces
from service.domain.ports import Clock
from service.domain.rates import Buckets, PostWindows
from service.domain.tokens import WorkerTokens
from service.github import GitHub
from service.loops import Loops
from service.middleware import Around
from service.routers import (
    dispatches,
    errors,
    findings,
    fleet,
    keys,
    outputs,
    pool,
    promotion,
    records,
    workers,
    workspaces,
)
from service.routers.openapi import describe
from service.services import Services
from service.settings import Settings


def build(settings: Settings, clients: Clients | None = None, clock: Clock = time.time) -> Services:
    """Wire the use cases to AWS."""
    clients = clients or Clients(settings.region)
    dynamodb, sqs = clients.dynamodb(), clients.sqs()
    credentials = clients.credentials()
    wired: Any = WiredDynamoDB(dynamodb, credentials)
    launching: Any = WiredSqs(sqs, credentials)
    jobs = DynamoJobs(wired, settings.jobs_table, settings.workspaces_table)
    key_store = DynamoKeys(dynamodb, settings.api_keys_table)
    coordination = DynamoCoordination(wired, settings.jobs_table)
    launch_queue = SqsQueue(launching, settings.launch_queue_url)
    tasks = EcsTasks(clients.ecs(), settings.cluster, settings.worker_subnets, settings.worker_security_group)
    artifacts = S3Artifacts(clients.s3(), settings.artifacts_bucket)
    cloudwatch = CloudWatchLogs(clients.logs())
    secrets = SecretsManager(clients.secretsmanager())
    tokens = WorkerTokens(settings.worker_token_key)
    audit = Audit(store=DynamoAudit(dynamodb, settings.audit_table), clock=clock)
    notifying = Notifying(
        store=jobs,
        post=partial(outbound.post, local=settings.local_region),
        clock=clock,
        master_key=settings.worker_token_key,
    )
    lives = Dispatches(
        store=jobs,
        queue=launch_queue,
        tasks=tasks,
        policy=settings.policy,
        limits=settings.limits,
        clock=clock,
        ended=notifying.ended,
    )
    warm = WarmPool(
        slots=DynamoSlots(dynamodb, settings.jobs_table),
        tasks=tasks,
        tokens=tokens,
        sizes=settings.warm_pool,
        clock=clock,
    )
    launched = PooledTasks(tasks, warm)
    launcher = Launcher(
        dispatches=lives,
        queue=launch_queue,
        tasks=launched,
        coordination=coordination,
        tokens=tokens,
        per_second=settings.launches_per_second,
    )
    board = QueueBoard(launcher=launcher, coordination=coordination, clock=clock, replica=uuid4().hex)
    follower = Follower(
        dispatches=lives,
        queue=SqsQueue(sqs, settings.events_queue_url),
        logs=cloudwatch,
        evidence=evidence_of,
        pool_owner=warm.ended,
    )
    authentication = Authentication(keys=key_store, clock=clock)
    return Services(
        settings=settings,
        clock=clock,
        dispatches=lives,
        launcher=launcher,
        board=board,
        pool=warm,
        follower=follower,
        reconciler=Reconciler(
            dispatches=lives,
            tasks=launched,
            shards=SHARDS,
            tail=follower.tail,
            read_to=launcher.read_to,
            deliver=notifying.due,
            refusal=board.refusal,
        ),
        coordination=coordination,
        authentication=authentication,
        keys=KeyManagement(keys=key_store, authentication=authentication, clock=clock),
        requests=Buckets(),
        posts=PostWindows(),
        guesses=Buckets(),
        fleet=Fleet(
            definition_problem=tasks.definition_problem,
            replicas=tasks.replicas,
            depth=launch_queue.depth,
            database=lambda: jobs.get("#health", "-"),
            secrets=secrets,
            clock=clock,
        ),
        logs=LogReading(logs=cloudwatch, artifacts=artifacts),
        artifacts=artifacts,
        assignments=Assignments(dispatches=lives, artifacts=artifacts, secrets=secrets, audit=audit),
        tokens=tokens,
        audit=audit,
        notifying=notifying,
        promoting=Promoting(
            dispatches=lives,
            artifacts=artifacts,
            secrets=secrets,
            audit=audit,
            forge=Forge(
                clone_url=settings.github_url,
                hub=partial(GitHub, settings.github_api_url),
                local=settings.local_region,
            ),
        ),
        workspaces=Workspaces(
            store=DynamoWorkspaces(wired, settings.workspaces_table),
            tenants=settings.persistent_tenants,
            clock=clock,
        ),
    )


def application(services: Services, loops: Loops | None = None) -> Around:
    """The ASGI application; with `loops`, they run as long as it does."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if loops is not None:
            loops.start()
        yield
        if loops is not None:
            await run_in_threadpool(loops.stop)

    app = FastAPI(
        title="Outpost control plane",
        version=VERSION,
        description="Runs coding agents for many tenants.",
        lifespan=lifespan,
        # A redirect would be to plain HTTP, as seen behind the load balancer, and take the key with it.
        redirect_slashes=False,
        redoc_url=None,
        docs_url=None,
    )
    errors.install(app)
    for routes in (fleet, findings, dispatches, outputs, promotion, workspaces, records, keys, workers, pool):
        app.include_router(routes.make(services))
    make_schema = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(make_schema())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI documents replacing it
    return Around(app, services.audit)
