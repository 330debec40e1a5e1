"""One request to AWS, understood: which service, which operation, whose credentials."""

import io
import json
import re
import time
from dataclasses import dataclass, field
from functools import cached_property
from threading import RLock
from typing import Any
from urllib.parse import parse_qs

# Signing names that differ from the name boto3 gives the service.
SERVICE_OF_SIGNING_NAME = {
    "monitoring": "cloudwatch",
    "elasticloadbalancing": "elbv2",
    "elasticfilesystem": "efs",
    "servicequotas": "service-quotas",
    "tagging": "resourcegroupstaggingapi",
    "eventbridge": "events",
}
ACTION = re.compile(r"(?:^|&)Action=([A-Za-z0-9]+)")
RPC_OPERATION = re.compile(r"/operation/([A-Za-z0-9]+)$")


@dataclass
class Call:
    """A request to one operation of one service.

    `service` is boto3's name of it, `protocol` botocore's ("json", "query", "ec2", "rest-xml",
    "rest-json"). `lock` guards all state of the embedded AWS. `access_key` is empty for an unsigned
    request; `presigned` says that the signature came in the query string.
    """

    service: str
    operation: str
    protocol: str
    region: str
    access_key: str
    session_token: str
    presigned: bool
    body: bytes
    environ: dict[str, Any] = field(repr=False)
    lock: RLock = field(repr=False)
    started: float = field(default_factory=time.perf_counter)

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The operation's input, parsed by its model whatever the protocol."""
        if self.environ.get("HTTP_X_AMZ_TARGET"):
            parsed = json.loads(self.body or b"{}")
            return parsed if isinstance(parsed, dict) else {}
        return _parse_by_model(self)

    def header(self, name: str) -> str:
        """A header's value, empty when it is not there."""
        return str(self.environ.get("HTTP_" + name.upper().replace("-", "_"), ""))


def understand(environ: dict[str, Any], body: bytes, lock: RLock) -> Call:
    """The call that a WSGI request makes; unsigned requests are taken for S3, as moto does."""
    access_key, region, signing_name, presigned = _credential(environ)
    service = SERVICE_OF_SIGNING_NAME.get(signing_name, signing_name)
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    protocol = operation = ""
    if target:
        protocol, operation = "json", target.rsplit(".", 1)[-1]
    elif environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        match = ACTION.search(body.decode("utf-8", "replace"))
        if match:
            protocol, operation = ("ec2" if service == "ec2" else "query"), match[1]
            if not signing_name and operation.startswith("AssumeRoleWith"):
                service = "sts"
    elif match := RPC_OPERATION.search(environ.get("PATH_INFO", "")):
        protocol, operation = "smithy-rpc-v2-cbor", match[1]
    call = Call(
        service=service or "s3",
        operation=operation,
        protocol=protocol,
        region=region or "us-east-1",
        access_key=access_key,
        session_token=environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "") or _query(environ, "X-Amz-Security-Token"),
        presigned=presigned,
        body=body,
        environ=environ,
        lock=lock,
    )
    if not call.operation:
        call.protocol = "rest-xml" if call.service in {"s3", "cloudfront", "route53"} else "rest-json"
        call.operation = _operation_of_route(call)
    return call


def _credential(environ: dict[str, Any]) -> tuple[str, str, str, bool]:
    """Access key, region, signing name, and whether the request is presigned."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    scope, presigned = "", False
    if "Credential=" in header:
        scope = header.split("Credential=", 1)[1].split(",", 1)[0]
    elif _query(environ, "X-Amz-Credential"):
        scope, presigned = _query(environ, "X-Amz-Credential"), True
    elif _query(environ, "AWSAccessKeyId"):
        return _query(environ, "AWSAccessKeyId"), "us-east-1", "s3", True
    parts = scope.split("/")
    if len(parts) < 5:
        return "", "", "", False
    return parts[0], parts[-3], parts[-2].lower(), presigned


def _query(environ: dict[str, Any], name: str) -> str:
    query = environ.get("QUERY_STRING", "")
    return parse_qs(query).get(name, [""])[0] if name in query else ""


def _moto_request(call: Call) -> Any:
    from moto.core.request import Request

    return Request({**call.environ, "wsgi.input": io.BytesIO(call.body)})


def _operation_of_route(call: Call) -> str:
    """The operation that a REST request's method and path name; empty when there is none."""
    from moto.core.routing import get_service_router
    from werkzeug.exceptions import HTTPException

    try:
        operation, parameters = get_service_router(call.service).match(_moto_request(call))
    except (HTTPException, NotImplementedError, KeyError, ValueError):
        return ""
    call.environ["outpost.uri_parameters"] = parameters
    return str(operation.name)


def _parse_by_model(call: Call) -> dict[str, Any]:
    from moto.core.parse import PROTOCOL_PARSERS
    from moto.core.utils import get_service_model

    request = _moto_request(call)
    operation = get_service_model(call.service).operation_model(call.operation)
    parser = PROTOCOL_PARSERS[call.protocol](operation)
    parsed = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data,
            "url_path": request.path,
            "url_params": call.environ.get("outpost.uri_parameters", {}),
        }
    )
    return dict(parsed or {})
