"""AWS's limits for a simulation: what is refused when they are reached, and how near to them a load comes.

Numbers: Amazon ECS and Fargate "Service quotas" and API throttling, DynamoDB "Partition throughput".
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from outpost.agents import AGENTS, Agent
from outpost.dispatch import Status
from service.aws.items import shard
from service.domain.events import TaskView
from service.domain.job import Inputs, Job
from service.domain.ports import (
    Acceptance,
    LaunchRefusedError,
    LaunchSpec,
    TaskSummary,
    UnavailableError,
)
from tests.service.fakes import FakeClock, FakeJobs, FakeQueue, FakeTask, FakeTasks

RUN_TASK = (20.0, 100.0)  # a second, and burst: RunTask on Fargate
RUN_AND_STOP = (40.0, 100.0)  # RunTask and StopTask together
DESCRIBE_AND_LIST = (20.0, 100.0)  # DescribeTasks and ListTasks together
PAGE = 100  # tasks of one DescribeTasks or ListTasks
PARTITION_WRITES, PARTITION_READS = 1000, 3000  # units a second of one partition
FULL = "You've reached the limit on the number of vCPUs you can run concurrently"
# Units of one write: a unit is 1 KB, a job's item has 1-2 KB, and a transaction costs twice as much.
JOB, SMALL, TRANSACTION = 2, 1, 2


@dataclass
class Bucket:
    """A token bucket as AWS's APIs have: `rate` a second, `burst` at once."""

    rate: float
    burst: float
    clock: FakeClock
    taken: int = 0
    refused: int = 0
    _left: float = -1.0
    _at: float = 0.0

    def take(self, count: int = 1) -> bool:
        """Whether so many calls may be made now."""
        now = self.clock()
        left = self.burst if self._left < 0 else min(self.burst, self._left + (now - self._at) * self.rate)
        self._at = now
        self._left = left - count if left >= count else left
        if left < count:
            self.refused += count
            return False
        self.taken += count
        return True


@dataclass
class Gauge:
    """How much of something was used in each second: the peak, of whom, and how often that was the most."""

    limit: float
    clock: FakeClock
    peak: float = 0.0
    peak_of: str = ""
    seconds_full: int = 0
    total: float = 0.0
    _second: int = -1
    _refused: bool = False
    _now: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, key: str, units: float) -> None:
        second = int(self.clock())
        if second != self._second:
            self.close()
            self._second = second
        self._now[key] += units
        self.total += units

    def hit(self) -> None:
        """Something was refused in this second."""
        self._refused = True

    def exceeded(self, key: str, units: float) -> bool:
        """Whether so many units more are over what this second allows."""
        return int(self.clock()) == self._second and self._now[key] + units > self.limit

    def close(self) -> None:
        """Judge the second that is over."""
        if not self._now:
            return
        key = max(self._now, key=self._now.__getitem__)
        if self._now[key] > self.peak:
            self.peak, self.peak_of = self._now[key], key
        self.seconds_full += self._refused or self._now[key] >= self.limit
        self._refused = False
        self._now.clear()


class MeteredJobs(FakeJobs):
    """The table, with the units that each partition key has to give, as DynamoDB counts."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.writing = Gauge(PARTITION_WRITES, clock)
        self.reading = Gauge(PARTITION_READS, clock)
        self.refused = 0
        self.counting = Gauge(PARTITION_WRITES / TRANSACTION, clock)  # transactions on one tenant's count

    def accept(self, acceptance: Acceptance) -> str | None:
        job = acceptance.job
        if self.writing.exceeded(job.tenant_id, JOB * TRANSACTION):
            self.refused += 1
            self.writing.hit()
            raise UnavailableError("dynamodb", "ThrottlingException")
        self.writing.add(job.tenant_id, JOB * TRANSACTION)
        self._count(job.tenant_id)
        self._index(job)
        return super().accept(acceptance)

    def save(self, old: Job, new: Job) -> None:
        ends = new.status is not old.status and new.status.terminal
        self.writing.add(new.tenant_id, JOB * (TRANSACTION if ends else 1))
        if ends:
            self._count(new.tenant_id)
        if old.deadline_at != new.deadline_at:
            self._index(new)
        super().save(old, new)

    def get(self, tenant_id: str, dispatch_id: str) -> Job | None:
        self.reading.add(tenant_id, 1)
        return super().get(tenant_id, dispatch_id)

    def get_many(self, ids: Iterable[tuple[str, str]]) -> list[Job]:
        found = super().get_many(ids)
        for job in found:
            self.reading.add(job.tenant_id, 1)
        return found

    def assignment(self, tenant_id: str, dispatch_id: str) -> tuple[Job | None, Inputs | None]:
        self.reading.add(tenant_id, 1)
        return super().assignment(tenant_id, dispatch_id)

    def due(self, shard: str, now: float, limit: int) -> list[tuple[str, str]]:
        self.reading.add(f"deadline-index {shard}", 1)
        return super().due(shard, now, limit)

    def _count(self, tenant_id: str) -> None:
        self.writing.add(f"#counter#{tenant_id}", SMALL * TRANSACTION)
        self.counting.add(tenant_id, 1)

    def _index(self, job: Job) -> None:
        """An entry of the deadline index moves: one goes, one comes."""
        self.writing.add(f"deadline-index {shard(job.dispatch_id)}", 2 * SMALL)

    def forget(self, tenant_id: str, dispatch_id: str) -> Status:
        """Drop an ended dispatch, of which the simulation needs no more; how it ended, exactly once."""
        assert self.endings.pop(dispatch_id) == 1, f"{dispatch_id} ended more than once"
        self.given.pop((tenant_id, dispatch_id), None)
        return self.jobs.pop((tenant_id, dispatch_id)).status


class MeteredTasks(FakeTasks):
    """ECS, with the account's rates and its quota of vCPUs."""

    def __init__(self, clock: FakeClock, events: FakeQueue, vcpus: float) -> None:
        super().__init__(clock, events)
        self.vcpus, self.used, self.peak = vcpus, 0.0, 0.0
        self.refusals: Counter[str] = Counter()
        self.seconds_full: set[int] = set()
        self.run_rate = Bucket(*RUN_TASK, clock)
        self.change_rate = Bucket(*RUN_AND_STOP, clock)
        self.look_rate = Bucket(*DESCRIBE_AND_LIST, clock)
        self.stopping: list[FakeTask] = []  # since someone last emptied it

    def run(self, spec: LaunchSpec) -> str:
        if not (self.run_rate.take() and self.change_rate.take()):
            self.refusals["RunTask throttled"] += 1
            raise LaunchRefusedError("ThrottlingException", "Rate exceeded")
        if spec.client_token not in self.by_token:
            need = vcpus_of(spec)
            if self.used + need > self.vcpus:
                self.refusals["no vCPUs"] += 1
                self.seconds_full.add(int(self.clock()))
                raise LaunchRefusedError("ClientException", FULL)
            self.used += need
            self.peak = max(self.peak, self.used)
        return super().run(spec)

    def stop(self, arn: str, reason: str) -> None:
        self._within(self.change_rate, 1, "StopTask throttled")
        super().stop(arn, reason)
        task = self.tasks.get(arn)
        if task is not None and task.stop_wanted:
            self.stopping.append(task)

    def describe(self, arns: Sequence[str]) -> dict[str, TaskView]:
        self._within(self.look_rate, -(-len(arns) // PAGE), "DescribeTasks throttled")
        return super().describe(arns)

    def find(self, started_by: str) -> str | None:
        self._within(self.look_rate, 1, "ListTasks throttled")
        return super().find(started_by)

    def running(self, family: str) -> list[TaskSummary]:
        """Lists by pages and describes each."""
        found = super().running(family)
        self._within(self.look_rate, 2 * max(1, -(-len(found) // PAGE)), "ListTasks throttled")
        return found

    def gone(self, task: FakeTask) -> None:
        """A task's vCPUs are free again; ECS need not remember it here."""
        self.used -= vcpus_of(task.spec)

    def forget_task(self, task: FakeTask) -> None:
        self.tasks.pop(task.arn, None)
        self.by_token.pop(task.spec.client_token, None)
        self.by_mark.pop(task.spec.started_by, None)

    def _within(self, bucket: Bucket, count: int, what: str) -> None:
        if not bucket.take(count):
            self.refusals[what] += 1
            raise UnavailableError("ecs", "ThrottlingException")


def vcpus_of(spec: LaunchSpec) -> float:
    """What a task of this family takes of the quota."""
    return AGENTS[Agent(spec.family.removeprefix("outpost-"))].tier.cpu / 1024
