"""The simulated day: real launcher, follower, reconciler, admission and state machine, on ports in memory.

The load follows the day; one tenant also posts a fiftieth of it at once, ten times. Clients that are refused
come again after the Retry-After that they are given. Some dispatches are cancelled, some tasks die, some
events are lost. One step is one second.
"""

import heapq
import itertools
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.scale.limits import RUN_TASK, MeteredJobs, MeteredTasks
from outpost.agents import Agent
from outpost.dispatch import Status
from service.application.dispatches import Dispatches
from service.application.following import Follower
from service.application.launching import Launcher
from service.application.reconciling import Reconciler
from service.aws.items import SHARDS
from service.aws.tasks import evidence_of
from service.domain.events import CancelRequested, WorkerClaimed, WorkerFinished
from service.domain.keys import ApiKey, Limits
from service.domain.policy import Policy
from service.domain.ports import ACTIVE_RETRY_SECONDS, AdmissionError, UnavailableError
from service.domain.requests import DispatchRequest
from service.domain.tokens import WorkerTokens
from tests.service.fakes import FakeClock, FakeCoordination, FakeLogs, FakeQueue, FakeTask

DAY = 86_400
START_SECONDS = (25, 60)  # Fargate: from RunTask to the worker's claim
RUN_SECONDS = (20, 300)
STOP_SECONDS = (1, 30)  # from StopTask to the container's end
CANCELLED, DIES, EVENT_LOST = 0.02, 0.01, 0.05  # shares
BURSTS, BURST_SHARE = 10, 0.2  # of the day's load, by one tenant
BURSTING = "t0"
BURST_PER_MINUTE = 6000  # that tenant's own limit of posts: a burst of 20,000 comes within minutes


@dataclass
class Outcome:
    """What the day came to. Times in seconds."""

    accepted: int = 0
    refused: int = 0  # posts that had to come again
    ended: Counter[Status] = field(default_factory=Counter)
    expired: int = 0  # ended without ever having been launched
    active_left: int = 0
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    peak_backlog: int = 0
    seconds_waited: int = 0  # in which something waited for a launch
    seconds_rate: int = 0  # of those: RunTask's rate was used up
    calls: int = 0

    @property
    def lost(self) -> int:
        return self.accepted - self.ended.total() - self.active_left


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class Simulation:
    """One account, one region, `tenants` tenants, of which the first is the one with bursts."""

    def __init__(self, *, total: int, seconds: int, tenants: int, vcpus: float, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.total, self.seconds = total, seconds
        self.clock = FakeClock(now=1_770_000_000.0)
        self.store = MeteredJobs(self.clock)
        self.queue = FakeQueue(self.clock)
        self.events = FakeQueue(self.clock)
        self.tasks = MeteredTasks(self.clock, self.events, vcpus)
        self.outcome = Outcome()
        burst = int(total * BURST_SHARE / BURSTS)
        self.keys = [self._key(n, burst) for n in range(tenants)]
        self.posted: dict[str, tuple[int, int]] = {}  # tenant: the minute, and its posts in it
        self.dispatches = Dispatches(
            store=self.store,
            queue=self.queue,
            tasks=self.tasks,
            policy=Policy(),
            limits=Limits(),
            clock=self.clock,
        )
        self.launcher = Launcher(
            dispatches=self.dispatches,
            queue=self.queue,
            tasks=self.tasks,
            coordination=FakeCoordination(),
            tokens=WorkerTokens("k"),
        )
        self.follower = Follower(
            dispatches=self.dispatches, queue=self.events, logs=FakeLogs(), evidence=evidence_of
        )
        self.reconciler = Reconciler(
            dispatches=self.dispatches,
            tasks=self.tasks,
            shards=SHARDS,
            tail=lambda agent, arn: [],
            read_to=self.launcher.read_to,
        )
        self.order = itertools.count()
        self.happenings: list[tuple[float, int, str, FakeTask]] = []
        self.again: list[
            tuple[float, int, ApiKey]
        ] = []  # refused posts, by the time at which they come again

    @staticmethod
    def _key(number: int, burst: int) -> ApiKey:
        """Stack limits for all but the tenant with bursts, which has been given more."""
        bursting = number == 0
        return ApiKey(
            api_key_id=f"k{number}",
            tenant_id=f"t{number}",
            key_hash="",
            key_prefix="",
            scopes=frozenset(),
            max_active=max(2 * burst, 1000) if bursting else None,
            max_per_day=10_000_000 if bursting else None,
            requests_per_minute=BURST_PER_MINUTE if bursting else None,
        )

    # --- the load

    def arrivals(self) -> Iterator[tuple[int, ApiKey]]:
        """Who posts in each second: a daily wave, and now and then one tenant's burst."""
        burst = int(self.total * BURST_SHARE / BURSTS)
        for second in range(self.seconds):
            wave = 1 + 0.6 * math.sin(2 * math.pi * second / self.seconds - math.pi / 2)
            expected = self.total * (1 - BURST_SHARE) / self.seconds * wave
            count = int(expected) + (self.random.random() < expected % 1)
            for _ in range(count):
                yield second, self.random.choice(self.keys[1:])
            if second % max(1, self.seconds // BURSTS) == 0:
                for _ in range(burst):
                    yield second, self.keys[0]

    def run(self) -> Outcome:
        """Go through the seconds, then on until everything has ended."""
        arriving = self.arrivals()
        waiting = next(arriving, None)
        second = 0
        last = self.seconds + Policy().max_pending + 7200  # nothing lasts longer
        while (waiting is not None or self.again or self.store.active_total()) and second < last:
            while waiting is not None and waiting[0] <= second:
                self.post(waiting[1])
                waiting = next(arriving, None)
            while self.again and self.again[0][0] <= self.clock():
                self.post(heapq.heappop(self.again)[2])
            self._step(second)
            self.clock.advance(1)
            second += 1
        self._close()
        return self.outcome

    def post(self, key: ApiKey) -> None:
        limits = Limits().of(key)
        minute = int(self.clock() // 60)
        of, count = self.posted.get(key.tenant_id, (minute, 0))
        count = count + 1 if of == minute else 1
        if count > limits.requests_per_minute:
            self._refused(key, 60 - self.clock() % 60)
            return
        self.posted[key.tenant_id] = (minute, count)
        request = DispatchRequest(agent=self.random.choice(list(Agent)), task="t", timeout_seconds=600)
        try:
            self.dispatches.accept(request, key)
            self.outcome.accepted += 1
        except AdmissionError:
            self._refused(key, ACTIVE_RETRY_SECONDS)
        except UnavailableError:  # 503: the client's backoff
            self._refused(key, self.random.uniform(1, 3))

    def _refused(self, key: ApiKey, retry_after: float) -> None:
        self.outcome.refused += 1
        heapq.heappush(self.again, (self.clock() + retry_after, next(self.order), key))

    # --- a second

    def _step(self, second: int) -> None:
        while self.launcher.pull(0):
            pass
        backlog = self.launcher.backlog()
        self.outcome.peak_backlog = max(self.outcome.peak_backlog, backlog + self.queue.depth())
        launched = 0
        while self.launcher.launch_next(0, lambda _: None):
            launched += 1
        if self.launcher.backlog():
            self.outcome.seconds_waited += 1
            self.outcome.seconds_rate += launched >= RUN_TASK[0]
        self._tasks_changed()
        while self.happenings and self.happenings[0][0] <= self.clock():
            self._happen(*heapq.heappop(self.happenings)[2:])
        while self.follower.step(0):
            pass
        if second % 20 == 0:
            self.launcher.keep()
        if second % 10 == 0:
            self.reconciler.sweep_deadlines()
        if second % 60 == 30:
            self.reconciler.sweep_tasks()

    def _tasks_changed(self) -> None:
        for task in self.tasks.made:
            self._later(self.random.uniform(*START_SECONDS), "claim", task)
        self.tasks.made.clear()
        for task in self.tasks.stopping:
            self._later(self.random.uniform(*STOP_SECONDS), "stopped", task)
        self.tasks.stopping.clear()

    def _later(self, seconds: float, what: str, task: FakeTask) -> None:
        heapq.heappush(self.happenings, (self.clock() + seconds, next(self.order), what, task))

    def _happen(self, what: str, task: FakeTask) -> None:
        if what == "forget":
            self._forget(task)
        elif task.status != "STOPPED":
            {"claim": self._claim, "report": self._report, "stopped": self._stop, "dies": self._die}[what](
                task
            )

    def _claim(self, task: FakeTask) -> None:
        tenant_id, dispatch_id, attempt = task.owner
        decision = self.dispatches.apply(tenant_id, dispatch_id, WorkerClaimed(attempt=attempt))
        if decision.refusal is not None:  # cancelled or superseded: the worker goes
            self._end(task, exit_code=77)
            return
        job = decision.job
        self.outcome.waits[tenant_id].append((job.attempt_at or 0) - job.created_at)
        fate, seconds = self.random.random(), self.random.uniform(*RUN_SECONDS)
        if fate < CANCELLED:
            self.dispatches.apply(tenant_id, dispatch_id, CancelRequested(reason="by its client"))
        elif fate < CANCELLED + DIES:
            self._later(seconds, "dies", task)
        else:
            self._later(seconds, "report", task)

    def _report(self, task: FakeTask) -> None:
        tenant_id, dispatch_id, attempt = task.owner
        self.dispatches.apply(tenant_id, dispatch_id, WorkerFinished(attempt=attempt, exit_code=0))
        self._end(task, exit_code=0)

    def _stop(self, task: FakeTask) -> None:
        self._end(task, exit_code=143, stop_code="UserInitiated")

    def _die(self, task: FakeTask) -> None:
        self._end(task, exit_code=137)

    def _end(self, task: FakeTask, *, exit_code: int, stop_code: str = "EssentialContainerExited") -> None:
        self.tasks.gone(task)
        lost = self.random.random() < EVENT_LOST
        events, self.tasks.events = self.tasks.events, FakeQueue(self.clock) if lost else self.events
        self.tasks.end(task, exit_code=exit_code, stop_code=stop_code)
        self.tasks.events = events
        self._later(3600, "forget", task)  # about as long as ECS remembers it

    def _forget(self, task: FakeTask) -> None:
        """What has ended is of no more use; a day of it would fill the memory."""
        tenant_id, dispatch_id, attempt = task.owner
        self.tasks.forget_task(task)
        job = self.store.jobs.get((tenant_id, dispatch_id))
        if job is not None and job.status.terminal and job.attempt == attempt:
            self.outcome.ended[self.store.forget(tenant_id, dispatch_id)] += 1

    def _close(self) -> None:
        """Count what is still remembered."""
        for (tenant_id, dispatch_id), job in list(self.store.jobs.items()):
            if job.status.terminal:
                self.outcome.expired += job.started_at is None and job.status is Status.FAILED
                self.outcome.ended[self.store.forget(tenant_id, dispatch_id)] += 1
        self.outcome.active_left = self.store.active_total()
        self.outcome.calls = self.store.writes + self.tasks.calls + self.queue.sent
        for gauge in (self.store.writing, self.store.reading, self.store.counting):
            gauge.close()

    @property
    def others(self) -> list[float]:
        return [wait for tenant, waits in self.outcome.waits.items() if tenant != BURSTING for wait in waits]
