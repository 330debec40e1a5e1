"""Any interleaving of what can happen to a dispatch ends in exactly one terminal state, the right one.

The real use cases run on a fake AWS. Hypothesis chooses what happens next: clients, launchers, workers,
ECS, lost and repeated messages, refusals, and crashes between any two writes.
`OUTPOST_INTERLEAVINGS=10000` runs the long version.
"""

import os
from collections import defaultdict

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from outpost.agents import Agent
from outpost.dispatch import Status
from service.application.assignments import Assignments, RefusedError
from service.application.audit import Audit
from service.application.dispatches import Dispatches
from service.application.following import Follower
from service.application.launching import Launcher
from service.application.reconciling import Reconciler
from service.aws.items import SHARDS
from service.aws.tasks import evidence_of
from service.domain.events import CancelRequested
from service.domain.keys import ApiKey, Limits
from service.domain.policy import Policy
from service.domain.ports import UnavailableError
from service.domain.requests import DispatchRequest
from service.domain.tokens import WorkerIdentity, WorkerTokens
from tests.service.fakes import (
    CrashError,
    FakeArtifacts,
    FakeAudit,
    FakeClock,
    FakeCoordination,
    FakeJobs,
    FakeLogs,
    FakeQueue,
    FakeSecrets,
    FakeTask,
    FakeTasks,
)

KEY = ApiKey(api_key_id="k", tenant_id="acme", key_hash="", key_prefix="", scopes=frozenset({"admin"}))
EXAMPLES = int(os.environ.get("OUTPOST_INTERLEAVINGS", "300"))
POINTS = st.sampled_from(
    (
        *(
            "accept:after",
            "save:before",
            "save:after",
            "send:before",
            "send:after",
            "run:before",
            "run:after",
        ),
        *("stop:before", "stop:after", "get", "delete", "describe", "receive"),
    )
)
KINDS = st.sampled_from(["crash", "unavailable"])
ENDS = (Status.COMPLETED, Status.FAILED, Status.TIMEOUT)
STARTING = "CannotPullContainerError: pull image manifest has been retried 5 time(s)"
FULL = "You've reached the limit on the number of vCPUs you can run concurrently"


class Interleavings(RuleBasedStateMachine):
    """One tenant, a few dispatches, two replicas' worth of launchers (they share no memory that matters)."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.armed: dict[str, str] = {}
        self.store = FakeJobs(self.fault)
        self.launches = FakeQueue(self.clock, self.fault)
        self.events = FakeQueue(self.clock)
        self.tasks = FakeTasks(self.clock, self.events, self.fault)
        self.full = False
        self.tasks.refuse = lambda spec: FULL if self.full else None
        self.coordination = FakeCoordination()
        self.policy = Policy()
        self.ids: list[str] = []
        self.cancelled: set[str] = set()  # a client was told that the cancel is accepted
        self.claims: defaultdict[str, set[int]] = defaultdict(set)
        self.reported: dict[str, int] = {}  # the exit code of the report that ended it
        self.told: dict[str, Status] = {}  # how it ended, as its worker was told
        self.ended_as: dict[str, Status] = {}
        self.restart()

    def fault(self, point: str) -> None:
        kind = self.armed.pop(point, None)
        if kind == "crash":
            raise CrashError
        if kind == "unavailable":
            raise UnavailableError("fake", point)

    def restart(self) -> None:
        """A new process: whatever was in memory is gone."""
        self.dispatches = Dispatches(
            store=self.store,
            queue=self.launches,
            tasks=self.tasks,
            policy=self.policy,
            limits=Limits(),
            clock=self.clock,
        )
        self.launcher = Launcher(
            dispatches=self.dispatches,
            queue=self.launches,
            tasks=self.tasks,
            coordination=self.coordination,
            tokens=WorkerTokens("k"),
        )
        self.follower = Follower(
            dispatches=self.dispatches, queue=self.events, logs=FakeLogs(), evidence=evidence_of
        )
        self.reconciler = Reconciler(
            dispatches=self.dispatches,
            tasks=self.tasks,
            shards=SHARDS,
            tail=self.follower.tail,
            read_to=self.launcher.read_to,
        )
        self.assignments = Assignments(
            dispatches=self.dispatches,
            artifacts=FakeArtifacts(),
            secrets=FakeSecrets(),
            audit=Audit(store=FakeAudit(), clock=self.clock),
        )

    def attempt(self, action) -> object:
        """Do it in a process that may crash in the middle. None if it did, or if AWS did not answer."""
        try:
            return action()
        except CrashError:
            self.restart()
        except UnavailableError:
            pass
        return None

    # --- what clients do

    @initialize()
    def first(self) -> None:
        self.post()

    @rule()
    def post(self) -> None:
        if len(self.ids) < 3:
            request = DispatchRequest(agent=Agent.CLAUDE, task="t", timeout_seconds=600)
            self.attempt(lambda: self.dispatches.accept(request, KEY))
            self.ids = [dispatch_id for _, dispatch_id in self.store.jobs]

    @rule(n=st.integers(0, 2))
    def cancel(self, n: int) -> None:
        if n < len(self.ids):
            event = CancelRequested(reason="test")
            decision = self.attempt(lambda: self.dispatches.apply("acme", self.ids[n], event))
            if decision is not None and decision.refusal is None:  # type: ignore[attr-defined]
                self.cancelled.add(self.ids[n])

    # --- what the control plane does

    @rule()
    def launch(self) -> None:
        self.attempt(self._launch)

    def _launch(self) -> None:
        self.launcher.pull(0)
        while self.launcher.backlog() and self.launcher.launch_next(0, lambda _: None):
            pass

    @rule()
    def follow(self) -> None:
        self.attempt(lambda: self.follower.step(0))

    @rule()
    def reconcile(self) -> None:
        self.attempt(self.reconciler.sweep_deadlines)

    @rule()
    def sweep(self) -> None:
        self.attempt(self.reconciler.sweep_tasks)

    # --- what goes wrong

    @rule(point=POINTS, kind=KINDS)
    def arm(self, point: str, kind: str) -> None:
        self.armed[point] = kind

    @rule()
    def crash(self) -> None:
        self.restart()

    @rule()
    def lose_launch(self) -> None:
        self.armed.pop("delete", None)
        self.launches.lose_one()

    @rule()
    def lose_event(self) -> None:
        self.events.lose_one()

    @rule()
    def repeat_messages(self) -> None:
        self.launches.repeat_all()
        self.events.repeat_all()

    @rule(full=st.booleans())
    def capacity(self, full: bool) -> None:
        self.full = full

    @rule(seconds=st.sampled_from([1, 30, 61, 130, 400, 1000, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def ecs_forgets(self) -> None:
        self.tasks.forget()

    # --- what tasks and workers do

    def some_task(self, n: int, *statuses: str) -> FakeTask | None:
        found = [task for task in self.tasks.tasks.values() if task.status in statuses]
        return found[n % len(found)] if found else None

    @rule(n=st.integers(0, 9))
    def task_starts(self, n: int) -> None:
        task = self.some_task(n, "PENDING")
        if task is not None and not task.stop_wanted:
            task.status = "RUNNING"

    @rule(n=st.integers(0, 9))
    def task_never_starts(self, n: int) -> None:
        task = self.some_task(n, "PENDING")
        if task is not None:
            self.tasks.end(task, exit_code=None, stop_code="TaskFailedToStart", reason=STARTING)

    @rule(n=st.integers(0, 9))
    def task_is_killed(self, n: int) -> None:
        task = self.some_task(n, "RUNNING")
        if task is not None:
            self.tasks.end(task, exit_code=137, stop_code="EssentialContainerExited", reason="killed")

    @rule(n=st.integers(0, 9))
    def task_obeys(self, n: int) -> None:
        task = self.some_task(n, "PENDING", "RUNNING")
        if task is not None and task.stop_wanted:
            self.tasks.end(task, exit_code=143, stop_code="UserInitiated")

    @rule(n=st.integers(0, 9))
    def worker_claims(self, n: int) -> None:
        task = self.some_task(n, "RUNNING")
        if task is not None:
            self._claim(task)

    def _claim(self, task: FakeTask) -> None:
        try:
            if self.attempt(lambda: self.assignments.claim(WorkerIdentity(*task.owner))) is not None:
                task.claimed = True
                self.claims[task.owner[1]].add(task.owner[2])
        except RefusedError:
            self.tasks.end(task, exit_code=77, stop_code="EssentialContainerExited")

    @rule(n=st.integers(0, 9), exit_code=st.sampled_from([0, 1, 124]))
    def worker_finishes(self, n: int, exit_code: int) -> None:
        task = self.some_task(n, "RUNNING")
        if task is not None and task.claimed:
            self._finish(task, exit_code)

    def _finish(self, task: FakeTask, exit_code: int) -> None:
        def report() -> Status:
            return self.assignments.finish(
                WorkerIdentity(*task.owner),
                exit_code=exit_code,
                reason=None,
                summary=None,
                changes=None,
                artifacts=(),
            ).status

        dispatch_id = task.owner[1]
        ended_before = self.store.jobs["acme", dispatch_id].status.terminal
        try:
            status = self.attempt(report)
        except RefusedError:
            exit_code = 77
        else:
            if status in ENDS:
                self.told[dispatch_id] = status
                if not ended_before:  # the report decided; a later one is only told how it ended
                    self.reported[dispatch_id] = exit_code
        self.tasks.end(task, exit_code=exit_code, stop_code="EssentialContainerExited")

    # --- what must hold

    @invariant()
    def an_ended_dispatch_stays_as_it_is(self) -> None:
        for (_, dispatch_id), job in self.store.jobs.items():
            if dispatch_id in self.ended_as:
                assert job.status is self.ended_as[dispatch_id]
            elif job.status.terminal:
                self.ended_as[dispatch_id] = job.status
            else:
                assert job.deadline_at is not None, "nothing would ever look at it again"

    @invariant()
    def an_agent_runs_at_most_once(self) -> None:
        for dispatch_id, attempts in self.claims.items():
            assert len(attempts) <= 1, (dispatch_id, attempts)

    def teardown(self) -> None:
        """Nothing goes wrong any more; everything that can happen by itself happens."""
        self.armed.clear()
        self.full = False
        for _ in range(300):
            if all(job.status.terminal for job in self.store.jobs.values()) and not self._tasks_left():
                break
            self._settle()
        self.an_ended_dispatch_stays_as_it_is()
        self.an_agent_runs_at_most_once()
        assert not self._tasks_left(), "a task is left running, billed"
        for job in self.store.jobs.values():
            self._check_end(job.dispatch_id, job.status, job.reason is not None)
        assert self.store.active["acme"] == 0

    def _tasks_left(self) -> list[FakeTask]:
        return [task for task in self.tasks.tasks.values() if task.status != "STOPPED"]

    def _settle(self) -> None:
        for task in list(self.tasks.tasks.values()):
            if task.status == "STOPPED":
                continue
            if task.stop_wanted:
                self.tasks.end(task, exit_code=143, stop_code="UserInitiated")
            elif task.status == "PENDING":
                task.status = "RUNNING"
            elif not task.claimed:
                self._claim(task)
            else:
                self._finish(task, 0)
        self._launch()
        self.follower.step(0)
        self.reconciler.sweep_deadlines()
        self.reconciler.sweep_tasks()
        self.clock.advance(31)

    def _check_end(self, dispatch_id: str, status: Status, explained: bool) -> None:
        assert status.terminal, f"never ended: {status}"
        assert self.store.endings[dispatch_id] == 1
        assert explained or status is Status.COMPLETED, f"{status} without a reason"
        assert self.told.get(dispatch_id, status) is status, "its worker was told another end"
        if dispatch_id in self.reported:
            expected = {0: Status.COMPLETED, 124: Status.TIMEOUT}
            assert status is expected.get(self.reported[dispatch_id], Status.FAILED)
        elif dispatch_id in self.cancelled:
            assert status is Status.CANCELLED
        if status is Status.COMPLETED:
            assert self.claims[dispatch_id], "completed by nobody"


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    print_blob=True,
)
