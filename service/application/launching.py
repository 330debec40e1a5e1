"""Launching: from the queue into a fair buffer, from there at AWS's rate into RunTask."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from outpost import worker_protocol
from outpost.dispatch import Status
from service import log
from service.application.dispatches import Dispatches, NotFoundError
from service.application.launch_messages import LaunchMessage, family_of
from service.application.launch_refusals import of_account, refusal_reason
from service.domain.events import LaunchClaimed, Launched, LaunchRefused
from service.domain.fairness import FairQueue
from service.domain.job import Job, Reason
from service.domain.pauses import Pauses
from service.domain.ports import (
    Coordination,
    LaunchRefusedError,
    LaunchSpec,
    Queue,
    Received,
    Tasks,
    UnavailableError,
)
from service.domain.tokens import WorkerIdentity, WorkerTokens
from service.domain.watermark import Watermark

PER_SECOND = 20  # RunTask on Fargate, sustained, per account and region (burst 100)
BUFFER = 5000  # dispatches held here so that each tenant gets its turn
VISIBILITY = 60  # seconds for which a message stays ours; renewed while it is in the buffer
RECEIVED = 10  # messages of one receive: SQS's most
RETRY_SECONDS = 5  # after a RunTask whose answer never came


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A dispatch in the buffer: its message, and the receipt that acknowledges it."""

    message: LaunchMessage
    receipt: str


class Launcher:
    """Claims attempts and runs their tasks. Safe to use from several threads."""

    def __init__(
        self,
        *,
        dispatches: Dispatches,
        queue: Queue,
        tasks: Tasks,
        coordination: Coordination,
        tokens: WorkerTokens,
        per_second: int = PER_SECOND,
    ) -> None:
        self._dispatches = dispatches
        self._queue = queue
        self._tasks = tasks
        self._coordination = coordination
        self._tokens = tokens
        self._per_second = per_second
        self._waiting: FairQueue[Waiting] = FairQueue()
        self._pauses = Pauses()
        self._watermark = Watermark()
        self._in_flight: dict[str, Waiting] = {}
        self._changed = threading.Condition()
        self._asking = threading.Lock()
        self._permits = 0
        self._permits_until = 0.0

    # --- the buffer

    def pull(self, wait: int) -> int:
        """Receive up to 10 messages into the buffer; how many came.

        While the buffer is full of what can be launched, nothing is received. What cannot be launched makes
        room: it must not keep others out, and the sweep sends it again (ADR 0028).
        """
        with self._changed:
            full = len(self._waiting) >= BUFFER
            shed = self._waiting.shed(self._closed(), RECEIVED) if full else []
        if full and not shed:
            return 0
        if shed:
            log.warning("full of what cannot be launched", event="launch-shed", dispatches=len(shed))
            self._queue.delete([item.receipt for item in shed])
        received = self._queue.receive(RECEIVED, wait)
        if not received:
            with self._changed:
                self._watermark.empty(self._dispatches.clock())
        for message in received:
            self.offer(message)
        return len(received)

    def offer(self, received: Received) -> None:
        """Put one message into the buffer; what is no launch message is left for the dead-letter queue."""
        try:
            message = LaunchMessage.decode(received.body)
        except ValueError as error:
            log.warning("unreadable launch message", event="poison-message", error=str(error))
            return
        item = Waiting(message=message, receipt=received.receipt)
        with self._changed:
            self._watermark.received(message.queued_at)
            twin = self._waiting.put(message.tenant_id, message.dispatch_id, item, message.family)
            self._changed.notify()
        if twin is not None and twin.receipt != item.receipt:
            self._acknowledge(twin)

    def read_to(self) -> float | None:
        """Launch messages queued before this time (epoch seconds) have been received; None: not known yet."""
        with self._changed:
            return self._watermark.read_to

    def waiting(self) -> dict[str, list[str]]:
        """The dispatches in the buffer, by tenant."""
        with self._changed:
            return self._waiting.ids()

    def refusals(self) -> dict[str, Reason]:
        """Why nothing is launched, by task definition family; `*` for all of them."""
        with self._changed:
            return self._pauses.reasons()

    def backlog(self) -> int:
        with self._changed:
            return len(self._waiting)

    def keep(self) -> None:
        """Renew what is held, so that no other replica is given it meanwhile."""
        with self._changed:
            receipts = [item.receipt for item in (*self._waiting.items(), *self._in_flight.values())]
        if receipts:
            self._queue.extend(receipts, VISIBILITY)

    def give_back(self) -> None:
        """Return what is waiting to the queue, for the other replicas: this one is stopping."""
        with self._changed:
            items = self._waiting.items()
            self._waiting = FairQueue()
        if items:
            self._queue.extend([item.receipt for item in items], 0)

    # --- launching

    def launch_next(self, wait: float, sleep: Callable[[float], object]) -> bool:
        """Launch the dispatch whose turn it is; False if none came within `wait` seconds."""
        with self._changed:
            if not self._ready():
                self._changed.wait(wait)
            if not self._ready():
                return False
        permitted = self._permitted()
        if permitted is None:
            now = self._dispatches.clock()
            sleep(max(0.01, 1 - now % 1))
            return False
        with self._changed:
            now = self._dispatches.clock()
            lines = self._waiting.sizes()
            item = self._waiting.take(lambda line: self._pauses.is_open(line, now, lines))
            if item is None:
                self._unused(permitted)
                return False
            self._in_flight[item.receipt] = item
            self._pauses.begin(item.message.family)
        used = True  # unless it is certain that nothing was asked of ECS
        try:
            used = self.launch(item)
        finally:
            with self._changed:
                self._in_flight.pop(item.receipt, None)
                self._pauses.ended(item.message.family)
                if not used:
                    self._unused(permitted)
        return True

    def _unused(self, permitted: float) -> None:
        """Give a launch back to the second that it was taken from, if that is not over."""
        if permitted == self._permits_until:
            self._permits += 1

    def _ready(self) -> int:
        """How many of the buffer may be launched now."""
        now = self._dispatches.clock()
        ready = 0
        lines = self._waiting.sizes()
        for line, size in lines.items():
            room = self._pauses.room(line, now, lines)
            ready += size if room is None else min(size, room)
        return ready

    def _closed(self) -> set[str]:
        return {line for line in self._waiting.sizes() if self._pauses.lasting(line)}

    def _permitted(self) -> float | None:
        """Take one launch of the account's rate: until when it is good, None if there is none now.

        Asks for as many as are ready, and keeps them a second.
        """
        now = self._dispatches.clock()
        # One thread asks and the others wait for it; the buffer stays free for whoever reads it meanwhile.
        with self._asking:
            with self._changed:
                if now >= self._permits_until:
                    self._permits = 0
                wanted = 0 if self._permits else max(1, min(self._ready(), self._per_second))
            taken = self._coordination.take_launches(wanted, self._per_second, now) if wanted else 0
            with self._changed:
                if wanted:
                    self._permits, self._permits_until = taken, now + 1
                if self._permits == 0:
                    return None
                self._permits -= 1
                return self._permits_until

    def launch(self, item: Waiting) -> bool:
        """Claim the next attempt and run its task; also right when the message comes a second time.

        False if there was nothing to launch, so that no launch of the account's rate was used.
        """
        message = item.message
        log.clear(tenantId=message.tenant_id, dispatchId=message.dispatch_id)
        used = False
        try:
            claimed = self._dispatches.apply(
                message.tenant_id,
                message.dispatch_id,
                LaunchClaimed(),
                job=message.job() if message.fresh else None,
            ).job
            # A claimed attempt without a task is one whose launcher died: the same token gives the same task.
            if claimed.status is Status.PROVISIONING and claimed.task_arn is None:
                used = True
                self._run(claimed)
        except NotFoundError:
            log.warning("launch message without a dispatch", event="orphan-message")
        except UnavailableError as error:
            log.warning("launch not certain; it is repeated", event="launch-repeated", error=str(error))
            self._later(item)
            return used
        self._acknowledge(item)
        return used

    def _run(self, job: Job) -> None:
        identity = (job.tenant_id, job.dispatch_id)
        try:
            arn = self._tasks.run(self._spec(job))
        except LaunchRefusedError as error:
            reason = refusal_reason(error)
            with self._changed:
                now = self._dispatches.clock()
                self._pauses.refused(family_of(job), reason, now, account=of_account(reason))
            log.warning("launch refused", event="launch-refused", code=error.code, reason=reason.code)
            log.metric("LaunchRefused", agent=job.agent, reason=reason.code)
            self._dispatches.apply(*identity, LaunchRefused(attempt=job.attempt, reason=reason))
            return
        with self._changed:
            self._pauses.launched(family_of(job))
        decision = self._dispatches.apply(*identity, Launched(attempt=job.attempt, arn=arn), job=job)
        log.info("task started", event="launched", taskArn=arn, attempt=job.attempt)
        log.metric("DispatchLaunched", agent=job.agent)
        if decision.job.attempt == 1:
            waited = self._dispatches.clock() - job.created_at
            log.metric("DispatchWaited", max(0.0, waited), "Seconds", agent=job.agent)

    def _spec(self, job: Job) -> LaunchSpec:
        identity = WorkerIdentity(job.tenant_id, job.dispatch_id, job.attempt)
        return LaunchSpec(
            family=family_of(job),
            client_token=f"{job.dispatch_id}-{job.attempt}",
            started_by=worker_protocol.started_by(job.tenant_id, job.dispatch_id, job.attempt),
            environment={
                worker_protocol.DISPATCH_ID: job.dispatch_id,
                worker_protocol.ATTEMPT: str(job.attempt),
                worker_protocol.TOKEN: self._tokens.issue(identity),
            },
            tags={"outpost:tenant": job.tenant_id, "outpost:dispatch": job.dispatch_id},
        )

    def _acknowledge(self, item: Waiting) -> None:
        try:
            self._queue.delete([item.receipt])
        except UnavailableError as error:
            log.warning("message not acknowledged; it comes again", event="ack-lost", error=str(error))

    def _later(self, item: Waiting) -> None:
        try:
            self._queue.extend([item.receipt], RETRY_SECONDS)
        except UnavailableError as error:
            log.warning("message comes again at its time-out", event="extend-lost", error=str(error))
