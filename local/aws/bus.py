"""EventBridge for AWS's own events: matched against the rules, delivered to the targets from a thread.

moto refuses nothing here and knows no source but PutEvents; delivery on AWS is at least once and in no
order, which the fault controls act out (drop, duplicate, delay).
"""

import heapq
import itertools
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from local.aws.event_patterns import matches, transformed
from local.aws.moto_app import backend

log = logging.getLogger(__name__)

Fate = Callable[[dict[str, Any]], list[float]]  # seconds after which an event is delivered, once each


def at_once(event: dict[str, Any]) -> list[float]:
    return [0.0]


class Bus:
    """Delivers events in the order they were put, unless `fate` says otherwise."""

    def __init__(self, lock: threading.RLock) -> None:
        self.fate: Fate = at_once
        self._lock = lock
        self._order = itertools.count()
        self._due: list[tuple[float, int, dict[str, Any]]] = []
        self._wake = threading.Condition()
        threading.Thread(target=self._deliver, name="events", daemon=True).start()

    def put(self, event: dict[str, Any]) -> None:
        """Hand over an event; returns at once."""
        with self._wake:
            for delay in self.fate(event):
                heapq.heappush(self._due, (time.monotonic() + delay, next(self._order), event))
            self._wake.notify()

    def _deliver(self) -> None:
        while True:
            with self._wake:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._wake.wait(self._due[0][0] - time.monotonic() if self._due else None)
                event = heapq.heappop(self._due)[2]
            try:
                with self._lock:
                    _to_targets(event)
            except Exception:  # one event or target that is broken must not end all deliveries
                log.exception("event %s was not delivered", event.get("id"))


def _to_targets(event: dict[str, Any]) -> None:
    for rule in list(backend("events").describe_event_bus("default").rules.values()):
        if rule.state != "ENABLED" or not matches(rule.event_pattern.get_pattern(), event):
            continue
        for target in rule.targets:
            _, _, service, _, _, name = target["Arn"].split(":", 5)
            transformer = target.get("InputTransformer")
            message = transformed(transformer, event) if transformer else json.dumps(event)
            if service == "sqs":
                backend("sqs").send_message(queue_name=name, message_body=message)
            elif service == "sns":
                backend("sns").publish(message, arn=target["Arn"])
            elif service == "logs":
                _to_log_group(name.removeprefix("log-group:").removesuffix(":*"), event)
            else:
                log.warning("rule %s: events are not delivered to %s here", rule.name, service)


def _to_log_group(group: str, event: dict[str, Any]) -> None:
    logs = backend("logs")
    logs.create_log_stream(group, event["id"])
    logs.put_log_events(
        group, event["id"], [{"timestamp": int(time.time() * 1000), "message": json.dumps(event)}]
    )
