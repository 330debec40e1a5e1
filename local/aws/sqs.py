"""Long polling for SQS that holds no lock while it waits; moto's would hold the region's."""

import json
import threading
import time

from local.aws.call import Call
from local.aws.errors import Response
from local.aws.gateway import Gateway
from local.aws.moto_app import backend

LOOK_AGAIN = 0.5  # seconds: messages also appear by time, when a delay or a visibility timeout ends
MAX_WAIT = 20.0  # seconds (SQS)
SENDING = frozenset(
    {"SendMessage", "SendMessageBatch", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch"}
)


class LongPolling:
    """ReceiveMessage, woken by what sends to any queue."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._arrival = threading.Condition()

    def arrived(self) -> None:
        """Some queue may have a message now."""
        with self._arrival:
            self._arrival.notify_all()

    def observe(self, call: Call, response: Response) -> None:
        if call.service == "sqs" and call.operation in SENDING:
            self.arrived()

    def receive(self, call: Call) -> Response:
        parameters = dict(call.parameters)
        wait = parameters.get("WaitTimeSeconds")
        seconds = float(wait) if wait is not None else self._default_wait(str(parameters.get("QueueUrl", "")))
        deadline = time.monotonic() + min(seconds, MAX_WAIT)
        body = json.dumps({**parameters, "WaitTimeSeconds": 0}).encode()
        while True:
            with self._gateway.lock:
                response = self._gateway.moto(call, body)
            left = deadline - time.monotonic()
            if response.status != 200 or b'"MessageId"' in response.body or left <= 0:
                return response
            with self._arrival:
                self._arrival.wait(min(left, LOOK_AGAIN))

    def _default_wait(self, url: str) -> float:
        queue = backend("sqs").queues.get(url.rsplit("/", 1)[-1])
        return float(getattr(queue, "receive_message_wait_time_seconds", 0) or 0) if queue else 0.0
