"""The life of dispatches: every event goes through `Dispatches.apply`: decide, write, follow up."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from ulid import ULID

from service import log
from service.application.launch_messages import LaunchMessage
from service.domain.events import Decision, Effect, Ended, Enqueue, Event, StopTask
from service.domain.job import Inputs, Job
from service.domain.keys import ApiKey, Limits
from service.domain.policy import Policy
from service.domain.ports import Acceptance, Clock, ConflictError, JobStore, Queue, Tasks, UnavailableError
from service.domain.requests import DispatchRequest
from service.domain.transitions import decide

TRIES = 20  # a version that is lost this often in a row is not contention but a defect
PREVIEW = 200


class TerminalCache:
    """Ended dispatches never change, so reading one twice costs nothing. Holds the `size` latest."""

    def __init__(self, size: int = 2000) -> None:
        self._jobs: OrderedDict[tuple[str, str], Job] = OrderedDict()
        self._size = size
        self._lock = threading.Lock()

    def get(self, tenant_id: str, dispatch_id: str) -> Job | None:
        return self._jobs.get((tenant_id, dispatch_id))

    def put(self, job: Job) -> None:
        with self._lock:
            self._jobs[job.tenant_id, job.dispatch_id] = job
            while len(self._jobs) > self._size:
                self._jobs.popitem(last=False)


class NotFoundError(Exception):
    """No such dispatch of this tenant."""


class Dispatches:
    """Accepts, reads and changes dispatches."""

    def __init__(
        self,
        *,
        store: JobStore,
        queue: Queue,
        tasks: Tasks,
        policy: Policy,
        limits: Limits,
        clock: Clock,
        ended: Callable[[Job], None] = lambda job: None,
    ) -> None:
        self.store = store
        self.policy = policy
        self.clock = clock
        self._queue = queue
        self._tasks = tasks
        self._limits = limits
        self._ended = ended
        self._terminal = TerminalCache()

    # --- accepting

    def accept(
        self,
        request: DispatchRequest,
        key: ApiKey,
        *,
        idempotency_key: str | None = None,
        body_hash: str = "",
    ) -> tuple[Job, bool]:
        """The dispatch that was made, and whether it had been made before by the same idempotency key.

        When this returns, the dispatch is durable; if the launch message is lost, the sweep sends another.
        Raises `AdmissionError`, `KeyReusedError`, `WorkspaceNotFoundError` and `UnavailableError`.
        """
        now = self.clock()
        job = Job(
            tenant_id=key.tenant_id,
            dispatch_id=str(ULID.from_timestamp(now)),
            agent=request.agent,
            created_at=now,
            timeout_seconds=request.timeout_seconds,
            repository=request.repository,
            branch=request.branch,
            model=request.model,
            workspace=request.workspace,
            workspace_id=request.workspace_id,
            tags=request.tags,
            task_preview=request.task[:PREVIEW],
            api_key_id=key.api_key_id,
            git_access=key.may_use_git(request.repository),
            webhook_url=request.webhook_url,
            deadline_at=now + self.policy.pending_check,
        )
        existing = self.store.accept(
            Acceptance(
                job=job,
                inputs=Inputs(task=request.task, context=request.context),
                limits=self._limits.of(key),
                now=now,
                idempotency_key=idempotency_key,
                body_hash=body_hash,
            )
        )
        if existing is not None:
            return self.get(key.tenant_id, existing), True
        log.metric("DispatchAccepted", agent=job.agent)
        # What the message cannot carry makes launchers read the job: which workspace it is for.
        self._follow(job, Enqueue(), fresh=job.workspace == "ephemeral")
        return job, False

    # --- reading

    def get(self, tenant_id: str, dispatch_id: str) -> Job:
        """Raises `NotFoundError`, for another tenant's dispatch as for none."""
        job = self._terminal.get(tenant_id, dispatch_id) or self.store.get(tenant_id, dispatch_id)
        if job is None:
            raise NotFoundError(dispatch_id)
        if job.status.terminal:
            self._terminal.put(job)
        return job

    def fresh(self, tenant_id: str, dispatch_id: str) -> Job:
        """As it is stored now, also what was added after its end. Raises `NotFoundError`."""
        job = self.store.get(tenant_id, dispatch_id)
        if job is None:
            raise NotFoundError(dispatch_id)
        return job

    def cached(self, tenant_id: str, dispatch_id: str) -> Job | None:
        """The dispatch, if it has ended and that is known here."""
        return self._terminal.get(tenant_id, dispatch_id)

    # --- changing

    def apply(self, tenant_id: str, dispatch_id: str, event: Event, *, job: Job | None = None) -> Decision:
        """Decide, write on condition of the version, follow up; read again and repeat if that was lost.

        Raises `NotFoundError` and `UnavailableError`.
        """
        for _ in range(TRIES):
            current = job or self.store.get(tenant_id, dispatch_id)
            if current is None:
                raise NotFoundError(dispatch_id)
            decision = decide(current, event, self.clock(), self.policy)
            if decision.job is not current:
                try:
                    self.store.save(current, decision.job)
                except ConflictError:
                    job = None
                    continue
            for effect in decision.effects:
                self._follow(decision.job, effect)
            return decision
        raise UnavailableError("dynamodb", "Contention", f"{dispatch_id} changed {TRIES} times in a row")

    def _follow(self, job: Job, effect: Effect, *, fresh: bool = False) -> None:
        """Do what follows. What fails here is made up for by the reconciler at the job's deadline."""
        try:
            if isinstance(effect, Enqueue):
                message = LaunchMessage(
                    tenant_id=job.tenant_id,
                    dispatch_id=job.dispatch_id,
                    agent=job.agent,
                    created_at=job.created_at,
                    queued_at=self.clock() + effect.delay,
                    fresh=fresh,
                    persistent=job.workspace == "persistent",
                )
                if job.waiting_reason is not None:  # the alarm of dispatch-stuck-pending goes by it
                    log.metric("DispatchPending", max(0.0, self.clock() - job.created_at), "Seconds")
                self._queue.send(message.encode(), effect.delay)
            elif isinstance(effect, StopTask):
                self._tasks.stop(effect.arn, effect.reason)
            elif isinstance(effect, Ended):
                self._report_end(job)
        except UnavailableError as error:
            log.warning(
                "could not follow up; the reconciler will",
                event="follow-up-lost",
                effect=type(effect).__name__,
                dispatchId=job.dispatch_id,
                tenantId=job.tenant_id,
                error=str(error),
            )

    def _report_end(self, job: Job) -> None:
        if job.timeout_seconds:  # a whole job, not the part of one that a launch message carries
            self._terminal.put(job)
        log.info(
            f"dispatch {job.status.lower()}",
            event="dispatch-ended",
            dispatchId=job.dispatch_id,
            tenantId=job.tenant_id,
            agent=job.agent,
            status=job.status,
            reason=job.reason.code if job.reason else None,
            issue=job.reason.issue or None if job.reason else None,
            cause=job.reason.cause or None if job.reason else None,
        )
        log.metric("DispatchEnded", agent=job.agent, status=job.status)
        if job.ended_at is not None:
            log.metric("DispatchDuration", job.ended_at - job.created_at, "Seconds", agent=job.agent)
        self._ended(job)
