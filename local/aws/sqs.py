"""SQS's operations on messages; queues and their attributes are moto's, FIFO queues wholly.

A long poll waits without holding the region's lock.
"""

import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.sqs.models import Queue, SQSBackend

from local.aws.call import Call
from local.aws.errors import AwsError, Response
from local.aws.gateway import Gateway, Handler
from local.aws.messages import Message, Messages
from local.aws.moto_app import backend
from local.cloudwatch.series import Dimensions

# Seconds of a long poll; SQS waits up to 20. A program that stops waits for its poll to end, and with it
# every deployment does.
MAX_WAIT = 2.0
MAX_COUNT = 10  # messages of one receive
MAX_VISIBILITY = 43_200  # seconds: twelve hours
SENDER = "AIDALOCALREGION"

Operation = Callable[[Any, dict[str, Any]], dict[str, Any]]  # on moto's queue, with the call's parameters


class Sqs:
    """The queues' messages by queue name. `arrived` wakes long polls."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._messages: dict[str, tuple[Any, Messages]] = {}
        self._arrival = threading.Condition()
        self._install()

    @property
    def answers(self) -> dict[tuple[str, str], Handler]:
        operations: dict[str, Operation] = {
            "SendMessage": self._send_one,
            "SendMessageBatch": self._send_batch,
            "DeleteMessage": self._delete_one,
            "DeleteMessageBatch": self._delete_batch,
            "ChangeMessageVisibility": self._change_one,
            "ChangeMessageVisibilityBatch": self._change_batch,
            "PurgeQueue": self._purge,
        }
        return {("sqs", name): self._or_moto(operation) for name, operation in operations.items()}

    def send(
        self, queue: str, body: str, attributes: dict[str, Any] | None = None, delay: float | None = None
    ) -> Message:
        """Put a message on an existing queue; hold the region's lock."""
        settings = backend("sqs").queues[queue]
        seconds = float(settings.delay_seconds if delay is None else delay)
        now = time.time()
        message = Message(body, attributes or {}, now, now + seconds)
        self._of(settings).put(message)
        with self._arrival:
            self._arrival.notify_all()
        return message

    def measure(self, record: Callable[[str, Dimensions, float, str], None]) -> None:
        """Record what CloudWatch is told of every queue each minute; hold the region's lock."""
        for queue in list(backend("sqs").queues.values()):
            if queue.fifo_queue:
                continue
            messages, dimensions = self._of(queue), (("QueueName", queue.name),)
            visible, hidden, delayed = messages.counts()
            record("ApproximateNumberOfMessagesVisible", dimensions, visible, "Count")
            record("ApproximateNumberOfMessagesNotVisible", dimensions, hidden, "Count")
            record("ApproximateNumberOfMessagesDelayed", dimensions, delayed, "Count")
            record("ApproximateAgeOfOldestMessage", dimensions, messages.oldest(), "Seconds")

    def age(self, seconds: float) -> None:
        """Let all messages have been sent so much earlier; hold the region's lock."""
        for _, messages in self._messages.values():
            messages.age(seconds)

    def receive(self, call: Call) -> dict[str, Any] | Response:
        """ReceiveMessage; takes the lock itself, and only for as long as it looks."""
        with self._gateway.lock:
            queue = self._queue(call)
            if queue is None:
                return self._gateway.moto(call)
        parameters = call.parameters
        wait = parameters.get("WaitTimeSeconds")
        seconds = float(queue.receive_message_wait_time_seconds or 0 if wait is None else wait)
        deadline = time.monotonic() + min(seconds, MAX_WAIT)
        visibility = parameters.get("VisibilityTimeout")
        hidden = float(queue.visibility_timeout if visibility is None else visibility)
        count = int(parameters.get("MaxNumberOfMessages") or 1)
        if not 1 <= count <= MAX_COUNT:
            raise AwsError(
                "InvalidParameterValue", f"Value {count} for parameter MaxNumberOfMessages is invalid."
            )
        while True:
            with self._gateway.lock:
                found = self._of(queue).receive(
                    count,
                    hidden,
                    float(queue.message_retention_period),
                    lambda message: self._bury(queue, message),
                )
                upcoming = self._of(queue).next_visible
            left = deadline - time.monotonic()
            if found:
                return {"Messages": [_render(message, parameters) for message in found]}
            if left <= 0:
                return {}
            if upcoming is not None:
                left = min(left, max(upcoming - time.time(), 0.005))
            with self._arrival:
                self._arrival.wait(left)
            if _hung_up(call):  # a message given to no one would be hidden for its visibility timeout
                return {}

    def _install(self) -> None:
        """Let moto's own senders (SNS, S3) and its queue attributes use these messages."""
        moto_send = SQSBackend.send_message

        def send_message(sqs: Any, queue_name: str, message_body: str, *rest: Any, **more: Any) -> Any:
            name = str(queue_name).rsplit("/", 1)[-1]
            if sqs.queues[name].fifo_queue:
                return moto_send(sqs, queue_name, message_body, *rest, **more)
            return self.send(name, message_body, more.get("message_attributes"), more.get("delay_seconds"))

        SQSBackend.send_message = send_message
        moto_counts = {}
        for index, name in enumerate(("", "_not_visible", "_delayed")):
            attribute = f"approximate_number_of_messages{name}"
            moto_counts[attribute] = getattr(Queue, attribute)
            setattr(Queue, attribute, property(self._counter(index, moto_counts[attribute])))

    def _counter(self, index: int, moto_count: Any) -> Any:
        def count(queue: Any) -> int:
            if queue.fifo_queue:
                return int(moto_count.fget(queue))
            return self._of(queue).counts()[index]

        return count

    def _of(self, queue: Any) -> Messages:
        """The messages of moto's queue; a queue made anew under an old name starts empty."""
        known = self._messages.get(queue.name)
        if known is None or known[0] is not queue:
            known = (queue, Messages())
            self._messages[queue.name] = known
        return known[1]

    def _queue(self, call: Call) -> Any:
        """moto's queue that the call is on; None when moto shall answer (no such queue, or a FIFO one)."""
        queue = backend("sqs").queues.get(str(call.parameters.get("QueueUrl", "")).rsplit("/", 1)[-1])
        return None if queue is None or queue.fifo_queue else queue

    def _or_moto(self, operation: Operation) -> Handler:
        def answer(call: Call) -> dict[str, Any] | Response:
            queue = self._queue(call)
            return self._gateway.moto(call) if queue is None else dict(operation(queue, call.parameters))

        return answer

    def _send_one(self, queue: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        body = str(parameters.get("MessageBody") or "")
        if not body:
            raise AwsError("MissingParameter", "The request must contain the parameter MessageBody.")
        if len(body.encode()) > int(queue.maximum_message_size):
            raise AwsError(
                "InvalidParameterValue",
                "One or more parameters are invalid. Reason: Message must be shorter than "
                f"{queue.maximum_message_size} bytes.",
            )
        attributes = parameters.get("MessageAttributes") or {}
        message = self.send(queue.name, body, attributes, parameters.get("DelaySeconds"))
        answer = {"MessageId": message.id, "MD5OfMessageBody": message.body_digest}
        return {**answer, "MD5OfMessageAttributes": message.attributes_digest} if attributes else answer

    def _delete_one(self, queue: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        self._of(queue).delete(str(parameters.get("ReceiptHandle", "")))
        return {}

    def _change_one(self, queue: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        seconds = int(parameters.get("VisibilityTimeout") or 0)
        if not 0 <= seconds <= MAX_VISIBILITY:
            raise AwsError(
                "InvalidParameterValue", f"Value {seconds} for parameter VisibilityTimeout is invalid."
            )
        if not self._of(queue).change_visibility(str(parameters.get("ReceiptHandle", "")), seconds):
            raise AwsError("MessageNotInflight", "The message is not in flight.")
        with self._arrival:
            self._arrival.notify_all()
        return {}

    def _send_batch(self, queue: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        return _batch(parameters, lambda entry: self._send_one(queue, entry))

    def _delete_batch(self, queue: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        return _batch(parameters, lambda entry: self._delete_one(queue, entry))

    def _change_batch(self, queue: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        return _batch(parameters, lambda entry: self._change_one(queue, entry))

    def _purge(self, queue: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        self._of(queue).purge()
        return {}

    def _bury(self, queue: Any, message: Message) -> bool:
        """Move a message that has been received too often to the dead-letter queue."""
        policy, dead = queue.redrive_policy, queue.dead_letter_queue
        if not policy or dead is None or message.receives < int(policy["maxReceiveCount"]):
            return False
        self._of(dead).put(
            Message(message.body, message.attributes, message.sent, time.time(), id=message.id)
        )
        with self._arrival:
            self._arrival.notify_all()
        return True


def _hung_up(call: Call) -> bool:
    """Whether the caller has closed its connection while it waited."""
    connection = call.environ.get("werkzeug.socket")
    if connection is None:
        return False
    watch = select.poll()
    watch.register(connection, select.POLLIN)
    try:
        return bool(watch.poll(0)) and connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def _batch(
    parameters: dict[str, Any], operation: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    successful, failed = [], []
    for entry in parameters.get("Entries") or []:
        try:
            successful.append({"Id": entry["Id"], **operation(entry)})
        except AwsError as error:
            failed.append(
                {"Id": entry["Id"], "SenderFault": True, "Code": error.code, "Message": error.message}
            )
    return {"Successful": successful, **({"Failed": failed} if failed else {})}


def _render(message: Message, parameters: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": message.body_digest,
        "Body": message.body,
    }
    wanted = {
        *(parameters.get("AttributeNames") or []),
        *(parameters.get("MessageSystemAttributeNames") or []),
    }
    system = {
        "SenderId": SENDER,
        "SentTimestamp": str(int(message.sent * 1000)),
        "ApproximateReceiveCount": str(message.receives),
        "ApproximateFirstReceiveTimestamp": str(int(message.first_received * 1000)),
    }
    attributes = {name: value for name, value in system.items() if wanted & {"All", name}}
    if attributes:
        shown["Attributes"] = attributes
    names = [str(name) for name in parameters.get("MessageAttributeNames") or []]
    own = {name: value for name, value in message.attributes.items() if _asked(name, names)}
    if own:
        shown["MessageAttributes"] = own
        shown["MD5OfMessageAttributes"] = message.attributes_digest
    return shown


def _asked(name: str, wanted: list[str]) -> bool:
    return any(
        each in {"All", ".*", name} or (each.endswith(".*") and name.startswith(each[:-2])) for each in wanted
    )
