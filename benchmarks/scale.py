"""A day of a million dispatches on a simulated clock: the real launcher, admission and state machine, with
AWS's real limits, on ports in memory.

What is simulated: a load that follows the day, with bursts of single tenants; RunTask at 20/s for the
account; the Fargate vCPU quota; tasks that need time to start and to run. One step is one second.
"""

import argparse
import heapq
import math
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from outpost.agents import AGENTS, Agent
from service import log
from service.application.dispatches import Dispatches
from service.application.launching import Launcher
from service.application.reconciling import Reconciler
from service.aws.items import SHARDS
from service.domain.events import WorkerClaimed, WorkerFinished
from service.domain.keys import ApiKey, Limits
from service.domain.policy import Policy
from service.domain.ports import AdmissionError, LaunchSpec
from service.domain.requests import DispatchRequest
from service.domain.tokens import WorkerTokens
from tests.service.fakes import FakeClock, FakeCoordination, FakeJobs, FakeQueue, FakeTask, FakeTasks

DAY = 86_400
START_SECONDS = (25, 60)  # Fargate: from RunTask to the worker's claim
RUN_SECONDS = (20, 300)
FULL = "You've reached the limit on the number of vCPUs you can run concurrently"


@dataclass
class Outcome:
    """What the day came to. Times in seconds."""

    accepted: int = 0
    refused: int = 0
    ended: int = 0
    active_left: int = 0
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    peak_vcpus: float = 0
    vcpu_refusals: int = 0
    peak_backlog: int = 0
    calls: int = 0

    @property
    def lost(self) -> int:
        return self.accepted - self.ended - self.active_left


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class Simulation:
    """One account, one region, `tenants` tenants."""

    def __init__(self, *, total: int, seconds: int, tenants: int, vcpus: float, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.total, self.seconds, self.vcpus = total, seconds, vcpus
        self.clock = FakeClock(now=1_770_000_000.0)
        self.begun = self.clock()
        self.store = FakeJobs()
        self.queue = FakeQueue(self.clock)
        self.tasks = FakeTasks(self.clock, FakeQueue(self.clock), refuse=self._refuse)
        self.used = 0.0
        self.outcome = Outcome()
        self.keys = [
            ApiKey(api_key_id=f"k{n}", tenant_id=f"t{n}", key_hash="", key_prefix="", scopes=frozenset())
            for n in range(tenants)
        ]
        self.dispatches = Dispatches(
            store=self.store,
            queue=self.queue,
            tasks=self.tasks,
            policy=Policy(),
            limits=Limits(max_active=50_000, max_per_day=total),
            clock=self.clock,
        )
        self.launcher = Launcher(
            dispatches=self.dispatches,
            queue=self.queue,
            tasks=self.tasks,
            coordination=FakeCoordination(),
            tokens=WorkerTokens("k"),
        )
        self.reconciler = Reconciler(
            dispatches=self.dispatches,
            tasks=self.tasks,
            shards=SHARDS,
            tail=lambda agent, arn: [],
            read_to=self.launcher.read_to,
        )
        self.happenings: list[tuple[float, int, str, FakeTask]] = []
        self.order = 0

    def _refuse(self, spec: LaunchSpec) -> str | None:
        need = self._cpu(spec)
        if self.used + need > self.vcpus:
            self.outcome.vcpu_refusals += 1
            return FULL
        self.used += need
        self.outcome.peak_vcpus = max(self.outcome.peak_vcpus, self.used)
        return None

    @staticmethod
    def _cpu(spec: LaunchSpec) -> float:
        return AGENTS[Agent(spec.family.removeprefix("outpost-"))].tier.cpu / 1024

    def arrivals(self) -> Iterator[tuple[int, ApiKey]]:
        """How many come from whom in each second: a daily wave, and now and then one tenant's burst."""
        for second in range(self.seconds):
            wave = 1 + 0.6 * math.sin(2 * math.pi * second / self.seconds - math.pi / 2)
            expected = self.total * 0.8 / self.seconds * wave
            count = int(expected) + (self.random.random() < expected % 1)
            for _ in range(count):
                yield second, self.random.choice(self.keys[1:])
            if second % max(1, self.seconds // 20) == 0:  # tenant 0: a twentieth of its share at once
                for _ in range(int(self.total * 0.2 / 20)):
                    yield second, self.keys[0]

    def run(self) -> Outcome:
        """Go through the seconds, then on until everything has ended."""
        arriving = self.arrivals()
        waiting = next(arriving, None)
        second = 0
        while waiting is not None or self.store.active_total():
            while waiting is not None and waiting[0] <= second:
                self._post(waiting[1])
                waiting = next(arriving, None)
            self._step(second)
            self.clock.advance(1)
            second += 1
            if second > self.seconds * 3 + 20_000:  # nothing waits longer than that (Policy.max_pending)
                break
        self.outcome.active_left = self.store.active_total()
        self.outcome.calls = self.store.writes + self.tasks.calls + self.queue.sent
        return self.outcome

    def _post(self, key: ApiKey) -> None:
        agent = self.random.choice(list(Agent))
        try:
            self.dispatches.accept(DispatchRequest(agent=agent, task="t", timeout_seconds=600), key)
            self.outcome.accepted += 1
        except AdmissionError:
            self.outcome.refused += 1

    def _step(self, second: int) -> None:
        while self.launcher.pull(0):
            pass
        self.outcome.peak_backlog = max(self.outcome.peak_backlog, self.launcher.backlog() + len(self.queue))
        while self.launcher.launch_next(0, lambda _: None):
            pass
        self._tasks_made()
        while self.happenings and self.happenings[0][0] <= self.clock():
            self._happen(*heapq.heappop(self.happenings)[2:])
        if second % 20 == 0:
            self.launcher.keep()
        if second % 10 == 0:
            self.reconciler.sweep_deadlines()

    def _tasks_made(self) -> None:
        for task in self.tasks.made:
            self._later(self.random.uniform(*START_SECONDS), "claim", task)
        self.tasks.made.clear()

    def _later(self, seconds: float, what: str, task: FakeTask) -> None:
        self.order += 1
        heapq.heappush(self.happenings, (self.clock() + seconds, self.order, what, task))

    def _happen(self, what: str, task: FakeTask) -> None:
        tenant_id, dispatch_id, attempt = task.owner
        if what == "claim":
            job = self.dispatches.apply(tenant_id, dispatch_id, WorkerClaimed(attempt=attempt)).job
            self.outcome.waits[tenant_id].append((job.attempt_at or 0) - job.created_at)
            self._later(self.random.uniform(*RUN_SECONDS), "end", task)
            return
        self.dispatches.apply(tenant_id, dispatch_id, WorkerFinished(attempt=attempt, exit_code=0))
        self.used -= self._cpu(task.spec)
        assert self.store.endings.pop(dispatch_id) == 1, "ended more than once"
        self.outcome.ended += 1
        # What has ended is of no more use to the simulation; a day of it would fill the memory.
        del self.store.jobs[tenant_id, dispatch_id], self.store.given[tenant_id, dispatch_id]
        self.tasks.tasks.pop(task.arn, None)
        self.tasks.by_token.pop(task.spec.client_token, None)
        self.tasks.by_mark.pop(task.spec.started_by, None)


def show(outcome: Outcome, simulation: Simulation, took: float) -> str:
    bursty = outcome.waits.get("t0", [])
    others = [wait for tenant, waits in outcome.waits.items() if tenant != "t0" for wait in waits]
    lines = [
        f"accepted {outcome.accepted:,}, refused {outcome.refused:,}, ended {outcome.ended:,}, "
        f"lost {outcome.lost}, still active {outcome.active_left} (simulated in {took:.0f} s)",
        f"waited for a launch, tenant with bursts: median {percentile(bursty, 0.5):.0f} s, "
        f"p99 {percentile(bursty, 0.99):.0f} s",
        f"waited for a launch, all others:         median {percentile(others, 0.5):.0f} s, "
        f"p99 {percentile(others, 0.99):.0f} s",
        f"peak: {outcome.peak_vcpus:,.0f} of {simulation.vcpus:,.0f} vCPUs, backlog {outcome.peak_backlog:,}",
        f"{outcome.vcpu_refusals:,} launches refused for want of vCPUs",
        f"AWS writes, launches and messages per dispatch: {outcome.calls / max(1, outcome.accepted):.1f}",
    ]
    rate = simulation.total / simulation.seconds
    first = "the Fargate vCPU quota L-3032A538" if outcome.vcpu_refusals else "the RunTask rate (20/s)"
    lines.append(f"raise first: {first}; the mean load is {rate:.1f} launches a second")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--total", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=DAY)
    parser.add_argument("--tenants", type=int, default=100)
    parser.add_argument("--vcpus", type=float, default=4000.0)
    options = parser.parse_args(arguments)
    log.configure("error")
    log.silence_metrics()
    simulation = Simulation(
        total=options.total, seconds=options.seconds, tenants=options.tenants, vcpus=options.vcpus
    )
    begun = time.perf_counter()
    outcome = simulation.run()
    print(show(outcome, simulation, time.perf_counter() - begun))
    return 0 if outcome.lost == 0 and outcome.active_left == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
