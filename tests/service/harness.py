"""An embedded AWS for the service's own tests: moto behind one lock, with the tables and queues it needs."""

import configparser
import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.session import Session
from moto.server import DomainDispatcherApplication, create_backend_app
from starlette.testclient import TestClient
from werkzeug.serving import make_server

from service.app import application, build
from service.aws.clients import Clients
from service.domain.keys import Limits, new_key
from service.services import Services
from service.settings import Settings
from tests.service.documented import DocumentedClient

REGION = "us-east-1"


class OneAtATime:
    """moto's conditional writes are atomic only when one request runs at a time. Counts the calls, too."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._lock = threading.RLock()
        self.calls: list[str] = []
        self.conflicting = False  # cancel a transaction that comes while another one runs, as DynamoDB does
        self.conflicts = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        call = target.rpartition(".")[2] or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        self.calls.append(call)
        if call == "ReceiveMessage":  # waits for messages: it must not keep them from being sent
            return list(self._app(environ, start_response))
        if call == "TransactWriteItems" and self.conflicting and not self._lock.acquire(blocking=False):
            self.conflicts += 1
            return _conflict(environ, start_response)
        with self._lock:
            try:
                return list(self._app(environ, start_response))
            finally:
                if call == "TransactWriteItems" and self.conflicting:
                    self._lock.release()


def _conflict(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """DynamoDB's answer to a transaction when another one holds one of its items."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": "Transaction cancelled",
        "CancellationReasons": [{"Code": "TransactionConflict"}],
    }
    start_response("400 Bad Request", [("Content-Type", "application/x-amz-json-1.0")])
    return [json.dumps(body).encode()]


@contextmanager
def embedded_aws() -> Iterator[tuple[str, OneAtATime]]:
    """Yields the endpoint and the counter of its calls."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else it logs every call
    app = OneAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", app
    finally:
        server.shutdown()
        thread.join()


class Counter(Protocol):
    """Something that lists the AWS calls made so far."""

    calls: list[str]


def operator_keys(paths: Any) -> tuple[str, str]:
    """The access key of a local region's operator."""
    parser = configparser.ConfigParser()
    parser.read(paths.credentials)
    section = parser["default"]
    return section["aws_access_key_id"], section["aws_secret_access_key"]


@dataclass
class World:
    """One stack: what the tests look at and change."""

    endpoint: str
    aws: Counter
    settings: Settings
    clients: Clients
    services: Services
    credentials: tuple[str, str] = ("test", "test")

    def boto(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.credentials[0],
            aws_secret_access_key=self.credentials[1],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def http(self) -> TestClient:
        return DocumentedClient(application(self.services), raise_server_exceptions=False)

    def key(self, tenant: str = "acme", *scopes: str, **attributes: Any) -> str:
        """A key of a tenant, stored as an operator would store it."""
        secret = new_key()
        digest = hashlib.sha256(secret.encode()).hexdigest()
        item = {
            "apiKeyId": f"key-{digest[:12]}",
            "tenantId": tenant,
            "keyHash": digest,
            "keyPrefix": secret[:15],
            "scopes": list(scopes or ("admin",)),
            "status": "active",
            **attributes,
        }
        boto3.resource(
            "dynamodb",
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.credentials[0],
            aws_secret_access_key=self.credentials[1],
        ).Table(self.settings.api_keys_table).put_item(Item=item)
        return secret

    def calls_of(self, action: Callable[[], object]) -> list[str]:
        """The AWS calls that an action makes."""
        before = len(self.aws.calls)
        action()
        return self.aws.calls[before:]


def make_world(
    endpoint: str, aws: Counter, *, credentials: tuple[str, str] = ("test", "test"), **changes: Any
) -> World:
    """Tables, queues and a bucket of their own, and the services on them."""
    session = Session()
    session.set_credentials(*credentials)
    suffix = new_key()[4:12]
    world = World(
        endpoint=endpoint,
        aws=aws,
        settings=None,  # type: ignore[arg-type]  # filled below, when the queues have their URLs
        clients=Clients(REGION, session, endpoint),
        services=None,  # type: ignore[arg-type]
        credentials=credentials,
    )
    queues = {name: _queue(world, f"{name}-{suffix}") for name in ("launch", "events")}
    ec2 = world.boto("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.describe_security_groups()["SecurityGroups"][0]
    settings = Settings(
        stack="test",
        region=REGION,
        cluster=f"outpost-{suffix}",
        jobs_table=f"jobs-{suffix}",
        api_keys_table=f"keys-{suffix}",
        audit_table=f"audit-{suffix}",
        workspaces_table=f"workspaces-{suffix}",
        artifacts_bucket=f"artifacts-{suffix}",
        launch_queue_url=queues["launch"],
        events_queue_url=queues["events"],
        worker_subnets=(subnet["SubnetId"],),
        worker_security_group=group["GroupId"],
        control_plane_url="http://control-plane.test:8080",
        worker_token_key="k" * 32,
        limits=Limits(max_active=50, max_per_day=1000, requests_per_minute=6000),
    )
    world.settings = replace(settings, **changes)
    _tables(world)
    world.boto("s3").create_bucket(Bucket=world.settings.artifacts_bucket)
    world.services = build(world.settings, world.clients)
    return world


def _queue(world: World, name: str) -> str:
    return str(world.boto("sqs").create_queue(QueueName=name)["QueueUrl"])


def _tables(world: World) -> None:
    dynamodb = world.boto("dynamodb")
    names = world.settings

    def create(
        table: str, keys: list[str], indexes: dict[str, list[str]], numbers: tuple[str, ...] = ()
    ) -> None:
        attributes = {*keys, *(name for index in indexes.values() for name in index)}
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=_schema(keys),
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "N" if name in numbers else "S"}
                for name in sorted(attributes)
            ],
            **(
                {
                    "GlobalSecondaryIndexes": [
                        {
                            "IndexName": index,
                            "KeySchema": _schema(parts),
                            "Projection": {
                                "ProjectionType": "KEYS_ONLY" if index == "deadline-index" else "ALL"
                            },
                        }
                        for index, parts in indexes.items()
                    ]
                }
                if indexes
                else {}
            ),
        )

    deadlines = {"deadline-index": ["deadlineShard", "deadlineAt"]}
    create(names.jobs_table, ["tenantId", "dispatchId"], deadlines, ("deadlineAt",))
    create(names.api_keys_table, ["apiKeyId"], {"keyHash-index": ["keyHash"], "tenantId-index": ["tenantId"]})
    create(names.audit_table, ["tenantId", "auditId"], {})
    create(names.workspaces_table, ["tenantId", "workspaceId"], {})


def _schema(names: list[str]) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
    ]
