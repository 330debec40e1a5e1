"""Who calls: API keys looked up once, remembered for seconds, counted in batches."""

import hmac
import threading
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import TypeVar

from service import log
from service.domain.keys import KEY_FORM, ApiKey, key_hash
from service.domain.ports import Clock, KeyStore, UnavailableError
from service.turns import Locks

KNOWN_SECONDS = 8  # a revoked key stops within 10 s on every replica
UNKNOWN_SECONDS = 2  # a new key works soon, and a wrong one does not cost a read each time

V = TypeVar("V")


class InvalidKeyError(Exception):
    """`code`: wrong-header, key-not-found, key-revoked or key-expired; the runbooks' causes of a 401.

    `key` is the one that is no longer valid, None where there is none.
    """

    def __init__(self, code: str, key_prefix: str | None = None, key: ApiKey | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.key_prefix = key_prefix
        self.key = key


@dataclass(frozen=True)
class _Remembered:
    key: ApiKey
    until: float


class Authentication:
    """Recognises keys. Thread-safe.

    What is not in the table is remembered apart: guesses, however many, push no key out of memory.
    """

    def __init__(self, *, keys: KeyStore, clock: Clock, size: int = 10_000) -> None:
        self._keys = keys
        self._clock = clock
        self._size = size
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()  # digest -> until when
        self._locks = Locks()  # a hundred parallel requests with one key make one read
        self._guard = threading.Lock()
        self._usage: defaultdict[str, int] = defaultdict(int)

    def recall(self, presented: str) -> ApiKey | None:
        """The key, from memory only; None if it has to be looked up. Raises `InvalidKeyError`."""
        if not KEY_FORM.fullmatch(presented):
            raise InvalidKeyError("key-not-found", presented[:15] if presented.startswith("otp_") else None)
        digest, now = key_hash(presented), self._clock()
        remembered = self._remembered.get(digest)
        # Both bounds: a clock that was set back must not keep a revoked key alive.
        if remembered is not None and 0 < remembered.until - now <= KNOWN_SECONDS:
            return self._valid(remembered.key, presented)
        if 0 < self._unknown.get(digest, 0) - now <= UNKNOWN_SECONDS:
            raise InvalidKeyError("key-not-found", presented[:15])
        return None

    def familiar(self, presented: str) -> bool:
        """Whether it has been found in the table before, however long ago: no guess, then."""
        return key_hash(presented) in self._remembered

    def look_up(self, presented: str) -> ApiKey:
        """The key, with at most one read. Raises `InvalidKeyError` and `UnavailableError`."""
        digest = key_hash(presented)
        with self._locks.held(digest):
            key = self.recall(presented)
            if key is not None:
                return key
            found = self._keys.by_hash(digest)
            # The index has answered by equality; compare again in constant time, so that nothing about a
            # stored hash can be learnt from how long this takes.
            if found is not None and not hmac.compare_digest(found.key_hash.encode(), digest.encode()):
                found = None
            self._remember(digest, found)
            if found is None:
                raise InvalidKeyError("key-not-found", presented[:15])
            return self._valid(found, presented)

    def _remember(self, digest: str, key: ApiKey | None) -> None:
        now = self._clock()
        with self._guard:
            if key is None:
                self._remembered.pop(digest, None)
                _put(self._unknown, digest, now + UNKNOWN_SECONDS, self._size)
            else:
                self._unknown.pop(digest, None)
                _put(self._remembered, digest, _Remembered(key, now + KNOWN_SECONDS), self._size)

    def _valid(self, key: ApiKey, presented: str) -> ApiKey:
        problem = key.problem(self._clock())
        if problem is not None:
            raise InvalidKeyError(problem, presented[:15], key)
        return key

    def forget(self, digest: str) -> None:
        """Look this key up anew: it was made or changed here."""
        with self._guard:
            self._unknown.pop(digest, None)
            remembered = self._remembered.get(digest)
            if remembered is not None:
                self._remembered[digest] = _Remembered(remembered.key, until=0)

    # --- usage

    def count(self, key: ApiKey) -> None:
        with self._guard:
            self._usage[key.api_key_id] += 1

    def flush_usage(self) -> int:
        """Write what was counted since the last time, one write per key; how many writes."""
        with self._guard:
            usage, self._usage = self._usage, defaultdict(int)
        now = self._clock()
        for n, (api_key_id, requests) in enumerate(usage.items()):
            try:
                self._keys.count_usage(api_key_id, requests, now)
            except UnavailableError as error:
                log.warning("usage not written yet", event="usage-kept", error=str(error))
                with self._guard:
                    for left, count in list(usage.items())[n:]:
                        self._usage[left] += count
                return n
        return len(usage)


def _put(memory: OrderedDict[str, V], digest: str, value: V, size: int) -> None:
    """Add the value as the latest; what is oldest goes when there is no more room."""
    memory[digest] = value
    memory.move_to_end(digest)
    while len(memory) > size:
        memory.popitem(last=False)
