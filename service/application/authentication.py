"""Who calls: API keys looked up once, remembered for seconds, counted in batches."""

import hmac
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service import log
from service.domain.keys import KEY_FORM, ApiKey, key_hash
from service.domain.ports import Clock, KeyStore, UnavailableError

KNOWN_SECONDS = 8  # a revoked key stops within 10 s on every replica
UNKNOWN_SECONDS = 2  # a new key works soon, and a wrong one does not cost a read each time


class InvalidKeyError(Exception):
    """`code`: wrong-header, key-not-found, key-revoked or key-expired; the runbooks' causes of a 401."""

    def __init__(self, code: str, key_prefix: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.key_prefix = key_prefix


@dataclass(frozen=True)
class _Remembered:
    key: ApiKey | None
    until: float


class KeyLocks:
    """One lock per key being looked up, so that a hundred parallel requests make one read."""

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


class Authentication:
    """Recognises keys. Thread-safe."""

    def __init__(self, *, keys: KeyStore, clock: Clock, size: int = 10_000) -> None:
        self._keys = keys
        self._clock = clock
        self._size = size
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._locks = KeyLocks()
        self._guard = threading.Lock()
        self._usage: defaultdict[str, int] = defaultdict(int)

    def recall(self, presented: str) -> ApiKey | None:
        """The key, from memory only; None if it has to be looked up. Raises `InvalidKeyError`."""
        if not KEY_FORM.fullmatch(presented):
            raise InvalidKeyError("key-not-found", presented[:15] if presented.startswith("otp_") else None)
        remembered = self._remembered.get(key_hash(presented))
        if remembered is None or self._clock() >= remembered.until:
            return None
        return self._valid(remembered.key, presented)

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
            return self._valid(found, presented)

    def _remember(self, digest: str, key: ApiKey | None) -> None:
        until = self._clock() + (KNOWN_SECONDS if key else UNKNOWN_SECONDS)
        with self._guard:
            self._remembered[digest] = _Remembered(key, until)
            self._remembered.move_to_end(digest)
            while len(self._remembered) > self._size:
                self._remembered.popitem(last=False)

    def _valid(self, key: ApiKey | None, presented: str) -> ApiKey:
        problem = "key-not-found" if key is None else key.problem(self._clock())
        if key is None or problem is not None:
            raise InvalidKeyError(problem or "key-not-found", presented[:15])
        return key

    def forget(self, digest: str) -> None:
        """Look this key up anew: it was made or changed here."""
        with self._guard:
            self._remembered.pop(digest, None)

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
