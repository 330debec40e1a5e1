"""The awslogs driver: reads the output of all containers and writes it to CloudWatch Logs in batches."""

import logging
import os
import selectors
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)

FLUSH_AFTER = 0.03  # seconds that a line waits for company
MAX_EVENT = 262_144 - 26  # bytes of one event (PutLogEvents: 256 KiB less 26)
READ = 65_536

Put = Callable[[str, str, list[dict[str, Any]]], None]  # log group, stream, events


@dataclass
class _Source:
    group: str
    stream: str
    drained: threading.Event
    rest: bytes = b""
    events: list[dict[str, Any]] = field(default_factory=list)


class LogDriver:
    """One thread for all containers. `put` writes events and raises nothing that matters to a container."""

    def __init__(self, put: Put) -> None:
        self._put = put
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._new: list[tuple[int, _Source]] = []
        self._sources: dict[int, _Source] = {}
        threading.Thread(target=self._run, name="awslogs", daemon=True).start()

    def follow(self, group: str, stream: str) -> tuple[int, threading.Event]:
        """A descriptor to write output to, and an event that is set when all of it has been put."""
        read, write = os.pipe()
        os.set_blocking(read, False)
        source = _Source(group, stream, threading.Event())
        self._new.append((read, source))
        os.write(self._wake_write, b"n")
        return write, source.drained

    def _run(self) -> None:
        flush_at: float | None = None
        while True:
            wait = None if flush_at is None else max(0.0, flush_at - time.monotonic())
            for key, _ in self._selector.select(wait):
                if key.fd == self._wake_read:
                    os.read(self._wake_read, READ)
                    while self._new:
                        descriptor, source = self._new.pop(0)
                        self._sources[descriptor] = source
                        self._selector.register(descriptor, selectors.EVENT_READ)
                else:
                    self._read(key.fd)
            pending = any(source.events for source in self._sources.values())
            if not pending:
                flush_at = None
            elif flush_at is None:
                flush_at = time.monotonic() + FLUSH_AFTER
            elif flush_at <= time.monotonic():
                for source in self._sources.values():
                    self._flush(source)
                flush_at = None

    def _read(self, descriptor: int) -> None:
        source = self._sources[descriptor]
        try:
            data = os.read(descriptor, READ)
        except BlockingIOError:
            return
        lines = (source.rest + data).split(b"\n")
        source.rest = lines.pop()
        if not data and source.rest:
            lines, source.rest = [source.rest], b""
        at = int(time.time() * 1000)
        for line in lines:
            text = line.rstrip(b"\r")
            for first in range(0, len(text), MAX_EVENT):
                piece = text[first : first + MAX_EVENT].decode("utf-8", "replace")
                source.events.append({"timestamp": at, "message": piece})
        if not data:
            self._selector.unregister(descriptor)
            os.close(descriptor)
            del self._sources[descriptor]
            self._flush(source)
            source.drained.set()

    def _flush(self, source: _Source) -> None:
        events, source.events = source.events, []
        if not events or not source.group:
            return
        try:
            self._put(source.group, source.stream, events)
        except Exception as error:  # noqa: BLE001 - a deleted log group must not stop other containers' logs
            log.warning("%s %s: %d log events lost: %s", source.group, source.stream, len(events), error)
