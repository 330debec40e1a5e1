"""The reconciler: whatever has outlived the deadline of its state, or lost its task or its record."""

from collections.abc import Callable
from dataclasses import replace

from outpost import names, worker_protocol
from outpost.agents import Agent
from outpost.dispatch import Status
from service import log
from service.application.dispatches import Dispatches, NotFoundError
from service.application.launch_messages import family_of
from service.domain.events import DeadlinePassed, Seen, TaskView
from service.domain.job import Job, Reason
from service.domain.ports import Tasks, TaskSummary, UnavailableError

DUE = 200  # jobs of one shard and sweep
ORPHAN_AGE = 120  # seconds: a younger task may be one whose launch is just being written


class Reconciler:
    """Both directions: from jobs to tasks by the deadline index, from tasks to jobs by listing them."""

    def __init__(
        self,
        *,
        dispatches: Dispatches,
        tasks: Tasks,
        shards: tuple[str, ...],
        tail: Callable[[Agent, str], list[str]],
        read_to: Callable[[], float | None],
        deliver: Callable[[Job], None] | None = None,
        refusal: Callable[[str], Reason | None] = lambda family: None,
    ) -> None:
        """`refusal`: why nothing is launched from a task definition family now, None if it is."""
        self._dispatches = dispatches
        self._tasks = tasks
        self._shards = shards
        self._tail = tail
        self._read_to = read_to
        self._deliver = deliver
        self._refusal = refusal

    def sweep_deadlines(self) -> int:
        """Decide on every job whose deadline has passed; how many there were."""
        now = self._dispatches.clock()
        due = [each for shard in self._shards for each in self._dispatches.store.due(shard, now, DUE)]
        if not due:
            return 0
        jobs = self._dispatches.store.get_many(due)
        views = self._views([job for job in jobs if job.active and job.status is not Status.PENDING])
        for job in jobs:
            if job.status.terminal:
                self._redeliver(job)
                continue
            self._overdue(job, views.get(job.dispatch_id, TaskView(seen=Seen.UNKNOWN)))
        return len(jobs)

    def _overdue(self, job: Job, view: TaskView) -> None:
        log.clear(tenantId=job.tenant_id, dispatchId=job.dispatch_id)
        waiting = self._refusal(family_of(job)) if job.status is Status.PENDING else None
        event = DeadlinePassed(view=view, read_to=self._read_to(), waiting=waiting)
        try:
            decision = self._dispatches.apply(job.tenant_id, job.dispatch_id, event, job=job)
        except (NotFoundError, UnavailableError) as error:
            log.warning("not reconciled; it stays due", event="reconcile-lost", error=str(error))
            return
        except Exception:  # noqa: BLE001 - one job's defect must not keep the others from being looked at
            log.exception("not reconciled; it stays due", event="uncaught-error")
            return
        if decision.job.status is not job.status:
            log.info("reconciled", event="reconciled", before=job.status, after=decision.job.status)
            log.metric("Reconciled", before=job.status, after=decision.job.status)

    def _redeliver(self, job: Job) -> None:
        """An ended job is due only for its webhook, which is sent beside the sweep."""
        if self._deliver is None:
            return
        try:
            self._deliver(job)
        except UnavailableError as error:
            log.warning("not redelivered; it stays due", event="reconcile-lost", error=str(error))

    def _views(self, jobs: list[Job]) -> dict[str, TaskView]:
        """What ECS says about the jobs' tasks, by dispatch id; without an ARN, found by its mark."""
        arns: dict[str, str] = {}
        views: dict[str, TaskView] = {}
        try:
            for job in jobs:
                arn = job.task_arn or self._tasks.find(
                    worker_protocol.started_by(job.tenant_id, job.dispatch_id, job.attempt)
                )
                if arn is None:
                    views[job.dispatch_id] = TaskView(seen=Seen.MISSING)
                else:
                    arns[job.dispatch_id] = arn
            seen = self._tasks.describe(list(dict.fromkeys(arns.values()))) if arns else {}
        except UnavailableError as error:
            log.warning("tasks not seen", event="describe-lost", error=str(error))
            return views
        agents = {job.dispatch_id: job.agent for job in jobs}
        for dispatch_id, arn in arns.items():
            view = seen[arn]
            if view.seen is Seen.STOPPED and view.evidence is not None and view.evidence.exit_code:
                view = replace(view, log_tail=self._tail(agents[dispatch_id], arn))
            views[dispatch_id] = view
        return views

    def sweep_tasks(self) -> int:
        """Stop every task that no dispatch wants: ended, superseded or unknown. How many were stopped."""
        now = self._dispatches.clock()
        stopped = 0
        for agent in Agent:
            tasks = [
                task
                for task in self._tasks.running(names.family(agent))
                if now - task.created_at > ORPHAN_AGE and worker_protocol.parse_started_by(task.started_by)
            ]
            stopped += sum(self._stop_orphan(task, why) for task, why in self._orphans(tasks))
        return stopped

    def _orphans(self, tasks: list[TaskSummary]) -> list[tuple[TaskSummary, str]]:
        owners = {task.arn: worker_protocol.parse_started_by(task.started_by) for task in tasks}
        ids = [(owner[0], owner[1]) for owner in owners.values() if owner]
        jobs = {job.dispatch_id: job for job in self._dispatches.store.get_many(ids)} if ids else {}
        orphans: list[tuple[TaskSummary, str]] = []
        for task in tasks:
            owner = owners[task.arn]
            job = jobs.get(owner[1]) if owner else None
            if job is None:
                orphans.append((task, "no such dispatch"))
            elif job.status.terminal:
                orphans.append((task, f"its dispatch is {job.status}"))
            elif owner and owner[2] != job.attempt:
                orphans.append((task, f"attempt {owner[2]} was superseded by {job.attempt}"))
        return orphans

    def _stop_orphan(self, task: TaskSummary, why: str) -> int:
        try:
            self._tasks.stop(task.arn, f"Outpost: orphan, {why}")
        except UnavailableError as error:
            log.warning("orphan not stopped yet", event="orphan-kept", taskArn=task.arn, error=str(error))
            return 0
        log.warning("orphan task stopped", event="orphan-stopped", taskArn=task.arn, why=why)
        log.metric("OrphanStopped")
        return 1
