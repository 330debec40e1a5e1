"""The hot path to DynamoDB and SQS: botocore's signing, credentials and connection pool without its layers.

A botocore call costs 0.7 ms of CPU before the first byte is sent (endpoint rules, hooks, user agent, models).
Both services speak JSON 1.0, which needs none of that. Profiled first; see ADR 0025. Everything that is not
on the request path stays with botocore's clients.
"""

import json
import random
import time
from collections.abc import Mapping
from typing import Any

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

TRIES = 4  # as botocore's standard mode
BACKOFF = 0.05  # seconds; doubles, with full jitter
# Throttling and the service's own passing errors are tried again; DynamoDB's and SQS's codes.
RETRIED = frozenset(
    {
        *("ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"),
        *("RequestThrottled", "ThrottledException", "InternalServerError", "InternalFailure"),
        *("ServiceUnavailable", "InternalError"),
    }
)


class Wire:
    """Calls one JSON service as one botocore client would, by the same credentials and endpoint."""

    def __init__(
        self, client: Any, credentials: Credentials, *, target: str, read_timeout: float = 10.0
    ) -> None:
        self._url = client.meta.endpoint_url.rstrip("/") + "/"
        self._target = target
        self._credentials = credentials
        self._region = client.meta.region_name
        self._service = client.meta.service_model.signing_name
        self._pool = urllib3.PoolManager(maxsize=64, retries=False)
        self._timeout = urllib3.Timeout(connect=3, read=read_timeout)

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        """The answer. Raises `ClientError` as botocore does, and its connection errors."""
        body = json.dumps(parameters).encode()
        for attempt in range(1, TRIES + 1):
            try:
                answer = self._send(operation, body)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                if attempt == TRIES:
                    raise _connection_error(error, self._url) from error
            else:
                if answer.status == 200:
                    return json.loads(answer.data)
                failure = _failure(answer, operation)
                code = failure.response["Error"]["Code"]
                if attempt == TRIES or not (code in RETRIED or answer.status >= 500):
                    raise failure
            time.sleep(random.uniform(0, BACKOFF * 2**attempt))  # noqa: S311 - jitter
        raise AssertionError("the last try returns or raises")

    def _send(self, operation: str, body: bytes) -> urllib3.BaseHTTPResponse:
        request = AWSRequest(
            "POST",
            self._url,
            data=body,
            headers={
                "X-Amz-Target": f"{self._target}.{operation}",
                "Content-Type": "application/x-amz-json-1.0",
            },
        )
        SigV4Auth(self._credentials.get_frozen_credentials(), self._service, self._region).add_auth(request)
        return self._pool.urlopen(
            "POST", self._url, body=body, headers=dict(request.headers.items()), timeout=self._timeout
        )


def _connection_error(error: Exception, url: str) -> Exception:
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return ReadTimeoutError(endpoint_url=url, error=error)
    return EndpointConnectionError(endpoint_url=url, error=error)


def _failure(answer: urllib3.BaseHTTPResponse, operation: str) -> ClientError:
    """The error as botocore shapes it: `__type` is `namespace#Code`, modelled members beside it."""
    try:
        found = json.loads(answer.data)
    except ValueError:
        found = {}
    kind = str(found.get("__type", answer.status)).rpartition("#")[2]
    query = answer.headers.get("x-amzn-query-error", "")
    code = query.partition(";")[0] or kind
    message = str(found.get("message") or found.get("Message") or "")
    response: Any = {**found, "Error": {"Code": code, "Message": message}}
    return ClientError(response, operation)


class WiredDynamoDB:
    """The DynamoDB operations of the request path, with botocore's names."""

    def __init__(self, client: Any, credentials: Credentials) -> None:
        self._wire = Wire(client, credentials, target="DynamoDB_20120810")

    def get_item(self, **parameters: Any) -> Any:
        return self._wire.call("GetItem", parameters)

    def batch_get_item(self, **parameters: Any) -> Any:
        return self._wire.call("BatchGetItem", parameters)

    def update_item(self, **parameters: Any) -> Any:
        return self._wire.call("UpdateItem", parameters)

    def query(self, **parameters: Any) -> Any:
        return self._wire.call("Query", parameters)

    def transact_write_items(self, **parameters: Any) -> Any:
        return self._wire.call("TransactWriteItems", parameters)


class WiredSqs:
    """SendMessage on the wire; everything else with botocore's client."""

    def __init__(self, client: Any, credentials: Credentials) -> None:
        self._client = client
        self._wire = Wire(client, credentials, target="AmazonSQS")

    def send_message(self, **parameters: Any) -> Any:
        return self._wire.call("SendMessage", parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)
