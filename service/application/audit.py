"""The audit trail: who called what and with which outcome, written in batches beside the requests.

The same is in the log line of each request, which outlives a process that is killed before its batch.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ulid import ULID

from service import log
from service.domain.ports import Clock, UnavailableError
from service.domain.times import DAY, iso

RETENTION = 400 * DAY
BUFFER = 20_000  # entries; beyond it the oldest are given up (and still in the log)


@dataclass(frozen=True, kw_only=True)
class AuditPage:
    """Entries, newest first; `last` is where the next page starts, None at the end."""

    entries: Sequence[Mapping[str, object]]
    last: str | None


class AuditStore(Protocol):
    """The audit table."""

    def write(self, entries: Sequence[Mapping[str, object]]) -> None: ...

    def page(self, tenant_id: str, after: str | None, limit: int) -> AuditPage: ...


class Audit:
    """Collects entries and writes them in the background. Thread-safe."""

    def __init__(self, *, store: AuditStore, clock: Clock) -> None:
        self.store = store
        self._clock = clock
        self._entries: deque[Mapping[str, object]] = deque(maxlen=BUFFER)
        self._writing = threading.Lock()

    def record(self, tenant_id: str, action: str, **details: object) -> None:
        """Add an entry; `action` is a route (`POST /dispatch`) or an access (`secret outpost/github`)."""
        now = self._clock()
        entry = {
            "tenantId": tenant_id,
            "auditId": str(ULID.from_timestamp(now)),
            "at": iso(now),
            "action": action,
        }
        self._entries.append({**entry, **details, "ttl": int(now + RETENTION)})

    def flush(self) -> int:
        """Write what has come together; how many entries. What cannot be written now is kept."""
        with self._writing:
            entries = [self._entries.popleft() for _ in range(len(self._entries))]
            try:
                self.store.write(entries)
            except UnavailableError as error:
                log.warning("audit not written yet", event="audit-kept", error=str(error))
                self._entries.extendleft(reversed(entries))
                return 0
        return len(entries)
