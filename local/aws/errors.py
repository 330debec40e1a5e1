"""Errors of the embedded AWS, written in the wire format of the service that was called."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape


class AwsError(Exception):
    """An error as a service answers it. `fields` are further members of a JSON error."""

    def __init__(self, code: str, message: str, *, status: int = 400, **fields: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields


@dataclass(frozen=True)
class Response:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = field(default=())


def render(error: AwsError, *, protocol: str, service: str) -> Response:
    """`error` in the protocol (botocore's name for it) of `service`."""
    request_id = str(uuid4())
    if service == "s3":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
            f"<RequestId>{request_id}</RequestId></Error>"
        )
        return _xml(error.status, body)
    if protocol == "ec2":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>'
            f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
            f"</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        )
        return _xml(error.status, body)
    if protocol in {"query", "rest-xml"}:
        sender = "Sender" if error.status < 500 else "Receiver"
        body = (
            f"<ErrorResponse><Error><Type>{sender}</Type><Code>{escape(error.code)}</Code>"
            f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return _xml(error.status, body)
    document = {"__type": error.code, "message": error.message, "Message": error.message, **error.fields}
    if service == "efs":
        document["ErrorCode"] = error.code
    return Response(
        error.status,
        json.dumps(document).encode(),
        (
            ("Content-Type", "application/x-amz-json-1.1"),
            ("x-amzn-ErrorType", error.code),
            ("x-amzn-RequestId", request_id),
        ),
    )


def _xml(status: int, body: str) -> Response:
    return Response(status, body.encode(), (("Content-Type", "text/xml"),))
