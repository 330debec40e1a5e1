"""The botocore clients. The low-level ones: boto3's resources cost memory and start-up time for nothing."""

import os
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError
from botocore.session import Session

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_ecs import ECSClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sqs import SQSClient

LONG_POLL = 10  # seconds; SQS allows 20, but a stopping task waits for its poll to end


class Clients:
    """One client per service, made when first asked for; each is safe to share between threads."""

    def __init__(self, region: str, session: Session | None = None, endpoint: str | None = None) -> None:
        """`endpoint` replaces AWS's; without it AWS_ENDPOINT_URL and the profile decide, as in any SDK."""
        self._region = region
        self._endpoint = endpoint
        self._session = session or Session()

    def _make(self, service: str, **config: Any) -> Any:
        settings: dict[str, Any] = {
            "connect_timeout": 3,
            "read_timeout": 10,
            "max_pool_connections": 64,
            "tcp_keepalive": True,
            "parameter_validation": False,  # our own code makes the parameters; half of a call's CPU
        }
        if "retries" not in config and not (
            {"AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS"} & set(os.environ)
        ):  # an operator's own take precedence
            settings["retries"] = {"mode": "standard", "total_max_attempts": 4}  # backoff with jitter
        return self._session.create_client(
            service,
            region_name=self._region,
            endpoint_url=self._endpoint,
            config=Config(**{**settings, **config}),
        )

    def credentials(self) -> Credentials:
        """The task role's, renewed by botocore before they expire. Raises `NoCredentialsError`."""
        found = self._session.get_credentials()
        if found is None:
            raise NoCredentialsError
        return found

    def impatient(self, service: str) -> Any:
        """A client that asks once and does not wait long, for questions that need no answer."""
        return self._make(service, connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})

    def dynamodb(self) -> "DynamoDBClient":
        return self._make("dynamodb")  # type: ignore[no-any-return]

    def ecs(self) -> "ECSClient":
        return self._make("ecs")  # type: ignore[no-any-return]

    def sqs(self) -> "SQSClient":
        return self._make("sqs", read_timeout=LONG_POLL + 15)  # type: ignore[no-any-return]

    def s3(self) -> "S3Client":
        return self._make("s3", signature_version="s3v4")  # type: ignore[no-any-return]

    def logs(self) -> "CloudWatchLogsClient":
        return self._make("logs")  # type: ignore[no-any-return]

    def secretsmanager(self) -> "SecretsManagerClient":
        return self._make("secretsmanager")  # type: ignore[no-any-return]
