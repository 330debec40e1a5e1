"""Looking: every read of the world goes through one `Look`, once per run, whoever asks.

A look that found nothing (no such table) raises `Absent`, which is an observation. A look that failed
raises `CouldNotLook`, which can only become UNKNOWN.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from runbooks.permissions import OPERATIONS

Answer = dict[str, Any]
BUSY = "busy"  # the reason of a call that was refused because its resource is being changed


class Absent(Exception):  # noqa: N818 - an observation, not an error
    """What was looked for does not exist. `code` is AWS's."""

    def __init__(self, operation: str, code: str, detail: str) -> None:
        super().__init__(f"{operation}: {code}: {detail}")
        self.operation = operation
        self.code = code
        self.detail = detail


class CouldNotLook(Exception):  # noqa: N818 - named for what it means to a check
    """A look that failed: denied, throttled, timed out, unreachable, or an error of the API."""

    def __init__(self, operation: str, reason: str, detail: str = "", permission: str = "") -> None:
        super().__init__(operation, reason)
        self.operation = operation
        self.reason = reason
        self.detail = detail
        self.permission = permission

    def __str__(self) -> str:
        if self.permission:
            return f"{self.operation} was {self.reason}: the permission {self.permission} is missing"
        return f"{self.operation} {self.reason}" + (f": {self.detail}" if self.detail else "")


class Reader(Protocol):
    """Performs one read, paged to the end, and counts every request in `calls` by operation.

    Raises `Absent` or `CouldNotLook`. Safe to call from many threads.
    """

    calls: Counter[str]

    def read(self, operation: str, parameters: Answer) -> Answer: ...


def key_of(operation: str, parameters: Answer) -> str:
    """The identity of a read: the same key is read once."""
    return operation + " " + json.dumps(parameters, sort_keys=True, default=str)


@dataclass
class Look:
    """The memory of one run: each distinct read is made once, by the first thread that asks.

    Safe to call from many threads. `down` is set when nothing can be read (no credentials, no region):
    every look then fails with it at once, instead of one time-out after another.
    """

    reader: Reader
    down: CouldNotLook | None = None
    _answers: dict[str, Future[Answer]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def calls(self) -> Counter[str]:
        """Requests made so far, by operation."""
        return self.reader.calls

    def __call__(self, operation: str, **parameters: Any) -> Answer:
        """Answer from memory, or read. Raises `Absent`, `CouldNotLook`."""
        if operation not in OPERATIONS:
            raise LookupError(f"{operation} is not declared in runbooks/permissions.py")
        if self.down is not None:
            raise CouldNotLook(operation, self.down.reason, self.down.detail)
        key = key_of(operation, parameters)
        with self._lock:
            answer = self._answers.get(key)
            mine = answer is None
            if answer is None:
                answer = self._answers[key] = Future()
        if mine:
            try:
                answer.set_result(self.reader.read(operation, parameters))
            except BaseException as error:
                answer.set_exception(error)
                raise
        return answer.result()

    def outcomes(self) -> dict[str, Answer | Absent | CouldNotLook]:
        """Every finished read by its key: what a bundle saves."""
        outcomes: dict[str, Answer | Absent | CouldNotLook] = {}
        with self._lock:
            answers = dict(self._answers)
        for key, answer in sorted(answers.items()):
            if not answer.done():
                continue
            error = answer.exception()
            if error is None:
                outcomes[key] = answer.result()
            elif isinstance(error, Absent | CouldNotLook):
                outcomes[key] = error
        return outcomes
