"""SQS queues."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from service.aws.errors import translated
from service.domain.ports import Received, UnavailableError

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

BATCH = 10  # SQS: entries of one batch call, and messages of one receive
MAXIMUM_DELAY = 900


class SqsQueue:
    """`Queue` on SQS."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client: Any = client
        self._url = url

    def send(self, body: str, delay: float = 0) -> None:
        """Send one message, to be received after `delay` seconds (SQS: at most 900)."""
        with translated("sqs"):
            self._client.send_message(
                QueueUrl=self._url, MessageBody=body, DelaySeconds=min(MAXIMUM_DELAY, max(0, ceil(delay)))
            )

    def receive(self, maximum: int, wait: int) -> list[Received]:
        with translated("sqs"):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(maximum, BATCH),
                WaitTimeSeconds=wait,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return [
            Received(
                body=message["Body"],
                receipt=message["ReceiptHandle"],
                receive_count=int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
            )
            for message in answer.get("Messages", [])
        ]

    def delete(self, receipts: Sequence[str]) -> None:
        for start in range(0, len(receipts), BATCH):
            entries = [
                {"Id": str(n), "ReceiptHandle": receipt}
                for n, receipt in enumerate(receipts[start : start + BATCH])
            ]
            with translated("sqs"):
                answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
            self._check(answer)

    def extend(self, receipts: Sequence[str], seconds: int) -> None:
        """Keep the messages invisible for `seconds` from now; 0 gives them back."""
        for start in range(0, len(receipts), BATCH):
            entries = [
                {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for n, receipt in enumerate(receipts[start : start + BATCH])
            ]
            with translated("sqs"):
                self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def depth(self) -> int:
        """Messages waiting, about; SQS counts over many servers."""
        with translated("sqs"):
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    @staticmethod
    def _check(answer: dict[str, Any]) -> None:
        """A batch answers 200 also when entries failed."""
        for failed in answer.get("Failed", []):
            raise UnavailableError("sqs", str(failed.get("Code")), str(failed.get("Message", "")))
