"""What the functions that create resources are given: clients, and where they are."""

from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

_CONFIG = Config(retries={"mode": "standard", "max_attempts": 2})


class Aws:
    """One account and region, with each service's client made once."""

    partition = "aws"

    def __init__(self, session: boto3.Session, endpoint_url: str | None = None) -> None:
        """`endpoint_url` None: what the session's profile or environment says."""
        self._session = session
        self._endpoint_url = endpoint_url
        self._clients: dict[str, Any] = {}
        self.region: str = session.region_name

    def client(self, service: str) -> Any:
        """The service's boto3 client. (Any: the types of 25 services would not fit one signature.)"""
        if service not in self._clients:
            make: Any = self._session.client
            self._clients[service] = make(service, endpoint_url=self._endpoint_url, config=_CONFIG)
        return self._clients[service]

    @cached_property
    def caller(self) -> dict[str, str]:
        """`Account`, `Arn` and `UserId` of the operator."""
        identity: dict[str, str] = self.client("sts").get_caller_identity()
        return identity

    @property
    def account(self) -> str:
        return self.caller["Account"]

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def error_code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
