"""The messages of one SQS queue, at a cost that does not grow with how many there are.

moto looks through all messages of a queue at every send, receive and delete.
"""

import hashlib
import heapq
import itertools
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

_order = itertools.count()
POISON = 3  # receives after which a message does not count for the age of the oldest one
STRING, BINARY = b"\x01", b"\x02"  # how the digest of message attributes tells values apart


@dataclass(eq=False)
class Message:
    """A message. It may be received from `visible_at` (epoch seconds) on; `receipt` is its latest handle."""

    body: str
    attributes: dict[str, Any]
    sent: float
    visible_at: float
    id: str = field(default_factory=lambda: str(uuid4()))
    receives: int = 0
    first_received: float = 0.0
    receipt: str = ""

    @property
    def body_digest(self) -> str:
        return hashlib.md5(self.body.encode(), usedforsecurity=False).hexdigest()

    @property
    def attributes_digest(self) -> str:
        """As "Calculating the MD5 message digest for message attributes" (SQS developer guide) says."""
        digest = hashlib.md5(usedforsecurity=False)
        for name, value in sorted(self.attributes.items()):
            text = value.get("StringValue")
            content = text.encode() if text is not None else bytes(value.get("BinaryValue") or b"")
            for part in (name.encode(), value["DataType"].encode()):
                digest.update(struct.pack("!I", len(part)) + part)
            digest.update(
                (STRING if text is not None else BINARY) + struct.pack("!I", len(content)) + content
            )
        return digest.hexdigest()


class Messages:
    """The messages of one queue; callers hold the region's lock."""

    def __init__(self) -> None:
        self._all: dict[str, Message] = {}
        self._receipts: dict[str, Message] = {}
        self._heap: list[tuple[float, int, Message]] = []

    def put(self, message: Message) -> None:
        self._all[message.id] = message
        heapq.heappush(self._heap, (message.visible_at, next(_order), message))

    def receive(
        self, count: int, visibility: float, retention: float, dead: Callable[[Message], bool]
    ) -> list[Message]:
        """Up to `count` visible messages, hidden for `visibility` seconds.

        Those older than `retention` seconds are dropped; those that `dead` takes are not received.
        """
        received: list[Message] = []
        now = time.time()
        while self._heap and len(received) < count and self._heap[0][0] <= now:
            at, _, message = heapq.heappop(self._heap)
            if message.id not in self._all or at != message.visible_at:
                continue  # deleted, or its visibility has been changed since
            if now - message.sent > retention or dead(message):
                self._remove(message)
                continue
            message.receives += 1
            message.first_received = message.first_received or now
            self._receipts.pop(message.receipt, None)
            message.receipt = f"{uuid4().hex}{uuid4().hex}"
            self._receipts[message.receipt] = message
            self._show_at(message, now + visibility)
            received.append(message)
        return received

    def delete(self, receipt: str) -> None:
        """Delete by the latest receipt handle; an older one does nothing, as SQS allows itself."""
        message = self._receipts.get(receipt)
        if message:
            self._remove(message)

    def change_visibility(self, receipt: str, seconds: float) -> bool:
        """False if no message is in flight under this receipt handle."""
        message = self._receipts.get(receipt)
        if message is None or message.visible_at <= time.time():
            return False
        self._show_at(message, time.time() + seconds)
        return True

    def purge(self) -> None:
        self._all.clear()
        self._receipts.clear()
        self._heap.clear()

    def oldest(self) -> float:
        """Age in seconds of the oldest message, as CloudWatch measures it; 0 when there is none.

        One that has been received three times and was not deleted counts no more: the queue moves it to its
        end (SQS developer guide, "Available CloudWatch metrics").
        """
        sent = [message.sent for message in self._all.values() if message.receives < POISON]
        return max(0.0, time.time() - min(sent)) if sent else 0.0

    def age(self, seconds: float) -> None:
        """Let all messages have been sent so much earlier."""
        for message in self._all.values():
            message.sent -= seconds

    @property
    def next_visible(self) -> float | None:
        """When the next message becomes visible (epoch seconds); None when the queue is empty."""
        return self._heap[0][0] if self._heap else None

    def counts(self) -> tuple[int, int, int]:
        """Visible, in flight, delayed."""
        now = time.time()
        hidden = [message for message in self._all.values() if message.visible_at > now]
        delayed = sum(message.receives == 0 for message in hidden)
        return len(self._all) - len(hidden), len(hidden) - delayed, delayed

    def _show_at(self, message: Message, at: float) -> None:
        message.visible_at = at
        heapq.heappush(self._heap, (at, next(_order), message))

    def _remove(self, message: Message) -> None:
        self._all.pop(message.id, None)
        self._receipts.pop(message.receipt, None)
