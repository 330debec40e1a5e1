"""Taking turns: one at a time, or a few, for each name; names that nobody uses take no memory."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class Locks:
    """A lock for each name, for threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        with self._guard:
            lock, users = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._locks[name]
                if users == 1:
                    del self._locks[name]
                else:
                    self._locks[name] = lock, users - 1


class Turns:
    """At most `most` at a time for each name, on the event loop: whoever waits holds no thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._semaphores: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        semaphore, users = self._semaphores.get(name) or (asyncio.Semaphore(self._most), 0)
        self._semaphores[name] = semaphore, users + 1
        try:
            async with semaphore:
                yield
        finally:
            semaphore, users = self._semaphores[name]
            if users == 1:
                del self._semaphores[name]
            else:
                self._semaphores[name] = semaphore, users - 1
