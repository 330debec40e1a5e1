"""Delivering webhooks: at once when a dispatch ends, and again by the reconciler until it has worked.

A dispatch whose webhook is still due stays in the index of deadlines, so a delivery survives any crash.
"""

import http.client
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from service import log
from service.domain import webhooks
from service.domain.job import Job
from service.domain.ports import Clock, ConflictError, JobStore, UnavailableError
from service.domain.times import DAY, iso
from service.outbound import ForbiddenAddressError

Post = Callable[[str, bytes, Mapping[str, str]], int]
SENDERS = 16
PER_TENANT = 4  # a tenant whose endpoint hangs leaves senders to the others
WAITING = 200  # deliveries of one tenant that wait here for a sender; the others wait in the table
RECORD_TRIES = 5
# A delivery that is due leaves the front of the deadline index for this long, tried or not: whatever one
# tenant's endpoint does, what else is due gets its turn.
TAKEN_SECONDS, LATER_SECONDS = 600, 3600
KEPT_SECONDS = DAY  # after the dispatch's end; the tries themselves take about four hours


class Notifying:
    """Sends and records. One try at a time per dispatch is enough; a second one is the same event again."""

    def __init__(self, *, store: JobStore, post: Post, clock: Clock, master_key: str) -> None:
        self._store = store
        self._post = post
        self._clock = clock
        self._master_key = master_key
        self._guard = threading.Lock()
        self._sending: set[str] = set()
        self._busy: Counter[str] = Counter()
        self._waiting: dict[str, deque[Job]] = {}
        self._closed = False
        self._pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="webhook")

    def secret(self, tenant_id: str) -> str:
        return webhooks.secret_of(self._master_key, tenant_id)

    def ended(self, job: Job) -> None:
        """Deliver without waiting; what does not work is due again at the job's deadline."""
        with self._guard:
            if job.webhook_url is None or job.dispatch_id in self._sending or self._full(job.tenant_id):
                return
            self._sending.add(job.dispatch_id)
            waiting = self._waiting.get(job.tenant_id)
            if waiting is not None and self._busy[job.tenant_id] >= PER_TENANT:
                waiting.append(job)
                return
            self._waiting.setdefault(job.tenant_id, deque())
            self._busy[job.tenant_id] += 1
            self._pool.submit(self._serve, job)

    def due(self, job: Job) -> None:
        """Deliver again what is due, or later if too many of the tenant's wait. Raises `UnavailableError`."""
        now = self._clock()
        if now - (job.ended_at or job.created_at) > KEPT_SECONDS:
            self._give_up(job, now)
            return
        with self._guard:
            seconds = LATER_SECONDS if self._full(job.tenant_id) else TAKEN_SECONDS
        later = job.changed(deadline_at=now + seconds)
        try:
            self._store.save(job, later)
        except ConflictError:
            return  # someone has just written it: if it is still due, it comes again
        self.ended(later)

    def _full(self, tenant_id: str) -> bool:
        return len(self._waiting.get(tenant_id, ())) >= WAITING

    def _give_up(self, job: Job, now: float) -> None:
        log.warning("webhook given up", event="webhook", delivered=False, tries=len(job.deliveries))
        error = f"given up {int(KEPT_SECONDS // 3600)} h after the end"
        self._record(job, {"at": iso(now), "status": 0, "error": error, "delivered": False}, None)

    def _serve(self, job: Job) -> None:
        """One of the tenant's senders: this delivery, then those of the tenant that wait for one."""
        current: Job | None = job
        while current is not None:
            self._deliver_safely(current)
            with self._guard:
                waiting = self._waiting[job.tenant_id]
                # What still waits when this replica stops is due at its deadline, on another.
                current = waiting.popleft() if waiting and not self._closed else None
                if current is None:
                    self._busy[job.tenant_id] -= 1
                    if not self._busy[job.tenant_id]:
                        del self._busy[job.tenant_id], self._waiting[job.tenant_id]

    def _deliver_safely(self, job: Job) -> None:
        log.clear(tenantId=job.tenant_id, dispatchId=job.dispatch_id)
        try:
            self.deliver(job)
        except UnavailableError as error:
            log.warning("delivery not recorded", event="webhook-unrecorded", error=str(error))
        except Exception:  # noqa: BLE001 - a thread of the pool has nobody else to tell
            log.exception("webhook failed", event="uncaught-error")
        finally:
            self._sending.discard(job.dispatch_id)

    def deliver(self, job: Job) -> None:
        """One try, recorded on the job. Raises `UnavailableError`."""
        assert job.webhook_url is not None
        body = webhooks.body_of(job)
        headers = webhooks.headers_of(self.secret(job.tenant_id), body, self._clock())
        error, status = "", 0
        try:
            status = self._post(job.webhook_url, body, headers)
        except ForbiddenAddressError as refused:
            error = str(refused)
        except (OSError, http.client.HTTPException) as failed:
            error = type(failed).__name__
        delivered = 200 <= status < 300
        now = self._clock()
        tries = len(job.deliveries) + 1
        entry = {"at": iso(now), "status": status, "error": error, "delivered": delivered}
        due = None if delivered else webhooks.next_try(tries, now)
        log.info("webhook", event="webhook", delivered=delivered, status=status, tries=tries, error=error)
        log.metric("WebhookDelivered" if delivered else "WebhookFailed")
        self._record(job, entry, due)

    def _record(self, job: Job, entry: Mapping[str, object], due: float | None) -> None:
        """Add the try to whatever the job has become meanwhile."""
        current: Job | None = job
        for _ in range(RECORD_TRIES):
            if current is None:
                return
            try:
                changed = current.changed(deliveries=(*current.deliveries, entry), deadline_at=due)
                self._store.save(current, changed)
                return
            except ConflictError:
                current = self._store.get(job.tenant_id, job.dispatch_id)
        raise UnavailableError("dynamodb", "Contention", f"{job.dispatch_id} keeps changing")

    def close(self) -> None:
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)
