"""S3, CloudWatch Logs and Secrets Manager."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from outpost.agents import Agent
from outpost.names import WORKER_CONTAINER, log_group
from service.aws.errors import code_of, translated
from service.domain.ports import LogLine, LogPage

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient

URL_SECONDS = 900
LOG_EVENTS = 10_000  # GetLogEvents: at most, of one call


class S3Artifacts:
    """`Artifacts` in the artifacts bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client: Any = client
        self._bucket = bucket

    def upload_url(
        self, key: str, *, content_type: str, size: int, sha256: str
    ) -> tuple[str, dict[str, str]]:
        """The signature covers type, length and checksum, so that no other content can be put."""
        with translated("s3"):
            url = self._client.generate_presigned_url(
                "put_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": key,
                    "ContentType": content_type,
                    "ContentLength": size,
                    "ChecksumSHA256": sha256,
                },
                ExpiresIn=URL_SECONDS,
            )
        return str(url), {
            "Content-Type": content_type,
            "Content-Length": str(size),
            "x-amz-checksum-sha256": sha256,
        }

    def download_url(self, key: str) -> str:
        with translated("s3"):
            url = self._client.generate_presigned_url(
                "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=URL_SECONDS
            )
        return str(url)

    def read(self, key: str, *, start: int = 0, limit: int | None = None) -> bytes | None:
        """The object's bytes from `start` on; None if there is no such object, empty past its end."""
        end = "" if limit is None else str(start + limit - 1)
        with translated("s3"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes={start}-{end}")
            except ClientError as error:
                if code_of(error) in ("NoSuchKey", "404"):
                    return None
                if code_of(error) in ("InvalidRange", "416"):
                    return b""
                raise
            return bytes(answer["Body"].read())


class CloudWatchLogs:
    """`Logs` of the workers: stream `worker/worker/TASK_ID` of the agent's group."""

    def __init__(self, client: "CloudWatchLogsClient") -> None:
        self._client: Any = client

    def page(self, agent: Agent, task_arn: str, token: str | None, limit: int) -> LogPage:
        """Oldest first. A stream that is not there (yet, or any more) is an empty page without a token."""
        parameters: dict[str, Any] = {"nextToken": token} if token else {}
        with translated("logs"):
            try:
                answer = self._client.get_log_events(
                    logGroupName=log_group(agent),
                    logStreamName=stream(task_arn),
                    startFromHead=True,
                    limit=min(limit, LOG_EVENTS),
                    **parameters,
                )
            except ClientError as error:
                if code_of(error) == "ResourceNotFoundException":
                    return LogPage(lines=(), token=None)
                raise
        return LogPage(lines=_lines(answer), token=answer.get("nextForwardToken"))

    def tail(self, agent: Agent, task_arn: str, limit: int) -> list[str]:
        with translated("logs"):
            try:
                answer = self._client.get_log_events(
                    logGroupName=log_group(agent),
                    logStreamName=stream(task_arn),
                    startFromHead=False,
                    limit=limit,
                )
            except ClientError as error:
                if code_of(error) == "ResourceNotFoundException":
                    return []
                raise
        return [line.message for line in _lines(answer)]


def stream(task_arn: str) -> str:
    """As awslogs names it: prefix, container, task id."""
    return f"worker/{WORKER_CONTAINER}/{task_arn.rpartition('/')[2]}"


def _lines(answer: dict[str, Any]) -> list[LogLine]:
    return [LogLine(at=each["timestamp"] / 1000, message=each["message"]) for each in answer["events"]]


class SecretsManager:
    """`Secrets`."""

    def __init__(self, client: "SecretsManagerClient") -> None:
        self._client: Any = client

    def has_value(self, name: str) -> bool:
        """Whether a version is current, without reading it."""
        with translated("secretsmanager"):
            try:
                answer = self._client.describe_secret(SecretId=name)
            except ClientError as error:
                if code_of(error) == "ResourceNotFoundException":
                    return False
                raise
        return any("AWSCURRENT" in stages for stages in answer.get("VersionIdsToStages", {}).values())

    def value(self, name: str) -> str | None:
        with translated("secretsmanager"):
            try:
                return str(self._client.get_secret_value(SecretId=name).get("SecretString") or "") or None
            except ClientError as error:
                if code_of(error) == "ResourceNotFoundException":
                    return None
                raise
