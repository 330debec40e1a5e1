"""The reader and the writer on AWS: botocore behind `Reader`, and nothing else of it shows.

botocore is imported when the first client is made, so that declarations stay cheap to import. boto3 is
left out: its resources are not needed, and they double the start-up time.
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runbooks.looking import BUSY, Absent, Answer, CouldNotLook
from runbooks.machine import configuration, expanded, http_get, processes, version
from runbooks.permissions import permission_for
from runbooks.target import Target

if TYPE_CHECKING:
    from botocore.client import BaseClient

CONNECT_TIMEOUT = 3  # seconds
READ_TIMEOUT = 8
ATTEMPTS = 3  # of each request, throttling and time-outs included

_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "UnauthorizedOperation",
    "UnauthorizedException",
}
_THROTTLED = {
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_ABSENT = {
    "ClusterNotFoundException",
    "FileSystemNotFound",
    "InvalidGroup.NotFound",
    "InvalidGroupId.Malformed",
    "InvalidSubnetID.NotFound",
    "LoadBalancerNotFound",
    "MountTargetNotFound",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchEntity",
    "NoSuchResourceException",
    "ResourceNotFoundException",
    "ServiceNotFoundException",
    "TargetGroupNotFound",
}
# DescribeTaskDefinition has no code of its own for "no such family".
_ABSENT_OF = {"ecs:DescribeTaskDefinition": {"ClientException"}}


class Connection:
    """Clients of one target, made when first needed and shared by every run."""

    def __init__(self, target: Target, *, read_timeout: float = READ_TIMEOUT) -> None:
        """`read_timeout` is how long one answer may take, in seconds."""
        self.target = target
        self._read_timeout = read_timeout
        self._clients: dict[str, BaseClient] = {}
        self._lock = threading.Lock()
        self._session: Any = None

    def reader(self) -> AwsReader:
        """A reader that counts anew and shares the clients."""
        return AwsReader(self)

    def client(self, service: str) -> BaseClient:
        """The client of a service by botocore's name. Raises botocore's errors for a missing profile."""
        with self._lock:
            client = self._clients.get(service)
            if client is None:
                client = self._clients[service] = self._create(service)
            return client

    def _create(self, service: str) -> BaseClient:
        from botocore.config import Config
        from botocore.session import Session

        if self._session is None:
            session = Session(profile=self.target.profile)
            for variable, name in (
                ("config_file", "AWS_CONFIG_FILE"),
                ("credentials_file", "AWS_SHARED_CREDENTIALS_FILE"),
            ):
                if self.target.environment.get(name):
                    session.set_config_variable(variable, self.target.environment[name])
            self._session = session
        client: BaseClient = self._session.create_client(
            service,
            region_name=self.target.region,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=self._read_timeout,
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                max_pool_connections=16,
                user_agent_extra="outpost-diagnose",
            ),
        )
        return client

    def where(self) -> str:
        """The endpoint that is looked at, for people: AWS itself, or the local region's address."""
        try:
            url = urlsplit(str(self.client("sts").meta.endpoint_url))
        except Exception as error:  # noqa: BLE001 - the first read tells what is wrong; this only names it
            return f"no endpoint ({error})"
        return "AWS" if (url.hostname or "").endswith(".amazonaws.com") else f"endpoint {url.netloc}"

    def call(self, operation: str, parameters: Answer) -> Answer:
        """One write, not paged. Raises `Absent` or `CouldNotLook`, as reads do."""
        with translated(operation):
            return _plain(_method(self, operation)(**parameters))


class AwsReader:
    """Reads AWS through a connection, the API over HTTP, and the client's files."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()

    def read(self, operation: str, parameters: Answer) -> Answer:
        if operation == "http:Get":
            self._count(operation)
            key = self.connection.target.api_key if parameters.get("authenticated") else ""
            return http_get(parameters["url"], {"X-API-Key": key} if key else {})
        if operation.startswith("client:"):
            return self._machine(operation, parameters)
        with translated(operation):
            return self._read_aws(operation, dict(parameters))

    def _machine(self, operation: str, parameters: Answer) -> Answer:
        """The reader's machine, in the home directory that the target's environment names."""
        environment = self.connection.target.environment
        home = Path(environment.get("HOME") or Path.home())
        if operation == "client:Environment":
            return {"variables": _variables(self.connection.target, parameters["names"])}
        if operation == "client:Configuration":
            return configuration(expanded(parameters["path"], home), environment)
        if operation == "client:Version":
            return version(parameters["paths"], home)
        return processes(parameters["name"], parameters["paths"], home)

    def _read_aws(self, operation: str, parameters: Answer) -> Answer:
        service = operation.partition(":")[0]
        client = self.connection.client(service)
        name = _method_name(operation)
        if not client.can_paginate(name):
            self._count(operation)
            return _plain(getattr(client, name)(**parameters))
        pages = client.get_paginator(name).paginate(**parameters)
        whole: Answer = {}
        for page in pages:
            self._count(operation)
            for key in pages.result_keys or []:
                found = key.search(page)
                if isinstance(found, list):  # and not DynamoDB's counts, which nothing here needs
                    whole.setdefault(key.expression, []).extend(found)
        return whole

    def _count(self, operation: str) -> None:
        with self._lock:
            self.calls[operation] += 1


def _method_name(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation.partition(":")[2]))


def _method(connection: Connection, operation: str) -> Any:
    return getattr(connection.client(operation.partition(":")[0]), _method_name(operation))


def _plain(answer: Answer) -> Answer:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


class translated:  # noqa: N801 - reads as a clause: with translated(operation)
    """Turns botocore's errors into `Absent` and `CouldNotLook`, by their codes and types."""

    def __init__(self, operation: str) -> None:
        self.operation = operation

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or not isinstance(error, Exception) or isinstance(error, Absent | CouldNotLook):
            return
        from botocore import exceptions

        if isinstance(error, exceptions.ClientError):
            raise self._of_code(error) from error
        if isinstance(error, exceptions.ReadTimeoutError | exceptions.ConnectTimeoutError):
            raise CouldNotLook(
                self.operation, "timed out", f"no answer within its time, in {ATTEMPTS} attempts"
            ) from error
        if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
            raise CouldNotLook(self.operation, "unreachable", str(error)) from error
        if isinstance(error, exceptions.BotoCoreError):
            raise CouldNotLook(self.operation, "not possible", str(error)) from error

    def _of_code(self, error: Any) -> Absent | CouldNotLook:
        code = str(error.response.get("Error", {}).get("Code", ""))
        message = str(error.response.get("Error", {}).get("Message", ""))
        if code in _ABSENT or code in _ABSENT_OF.get(self.operation, ()):
            return Absent(self.operation, code, message)
        if code in _DENIED:
            return CouldNotLook(self.operation, "denied", message, permission_for(self.operation))
        if code in _THROTTLED:
            return CouldNotLook(self.operation, "throttled", f"{code} after {ATTEMPTS} attempts: {message}")
        if code == "ResourceInUseException":
            return CouldNotLook(self.operation, BUSY, message)
        if code in _CREDENTIALS:
            return CouldNotLook(self.operation, "refused", f"the credentials are not valid ({code})")
        return CouldNotLook(self.operation, "failed", f"{code}: {message}")


def _variables(target: Target, names: list[str]) -> dict[str, str]:
    return {name: target.environment[name] for name in names if name in target.environment}
