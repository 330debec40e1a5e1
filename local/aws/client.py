"""boto3 clients that talk to the embedded AWS without a socket, as AWS's own services do."""

import io
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from local.aws import lean
from local.aws.gateway import Gateway
from local.aws.moto_app import REGION


class _Raw(io.BytesIO):
    def stream(self, *args: Any, **kwargs: Any) -> Any:
        yield self.read()


class Clients:
    """Makes clients, with the internal credentials (never refused) or with those of a role."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._session = lean.SESSION
        self._internal: dict[str, Any] = {}

    def internal(self, service: str) -> Any:
        """The client of AWS itself for a service."""
        if service not in self._internal:
            self._internal[service] = self.with_keys(service, self._gateway.internal_key, "internal", None)
        return self._internal[service]

    def with_keys(self, service: str, access_key: str, secret_key: str, token: str | None) -> Any:
        client = self._session.client(
            service,  # type: ignore[call-overload]
            region_name=REGION,
            endpoint_url="http://localhost",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )
        client.meta.events.register("before-send", self._send)
        return client

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        url = urlsplit(request.url)
        body: Any = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        elif isinstance(body, str):
            body = body.encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "PATH_INFO": url.path or "/",
            "RAW_URI": url.path or "/",
            "QUERY_STRING": url.query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "CONTENT_LENGTH": str(len(body)),
        }
        for name, value in request.headers.items():
            key = name.upper().replace("-", "_")
            text = value.decode() if isinstance(value, bytes) else str(value)
            environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = text
        environ.setdefault("HTTP_HOST", "localhost")
        response = self._gateway.respond(environ, body)
        headers = dict(response.headers)
        return AWSResponse(request.url, response.status, headers, _Raw(response.body))  # type: ignore[arg-type]
