"""The ports in memory, on a clock that the test moves; they lose, repeat, refuse and crash at will."""

import heapq
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from outpost import worker_protocol
from outpost.agents import Agent
from outpost.dispatch import TRANSITIONS
from service.application.audit import AuditPage
from service.aws.items import SHARDS, shard
from service.domain.events import Seen, TaskView
from service.domain.job import Inputs, Job, StoppedEvidence
from service.domain.ports import (
    Acceptance,
    AdmissionError,
    ConflictError,
    Filters,
    JobPage,
    KeyReusedError,
    LaunchRefusedError,
    LaunchSpec,
    LogPage,
    Received,
    TaskSummary,
)
from service.domain.times import day

Fault = Callable[[str], None]


class CrashError(BaseException):
    """The process is gone at this point: nothing after it happens."""


def no_fault(_: str) -> None:
    """Everything works."""


@dataclass
class FakeClock:
    """Epoch seconds that only the test moves."""

    now: float = 1_770_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakeJobs:
    """`JobStore` in memory. Checks on every write that the life of a dispatch is a legal one."""

    def __init__(self, fault: Fault = no_fault) -> None:
        self.jobs: dict[tuple[str, str], Job] = {}
        self.given: dict[tuple[str, str], Inputs] = {}
        self.active: defaultdict[str, int] = defaultdict(int)
        self.daily: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.idempotent: dict[tuple[str, str], tuple[str, str]] = {}
        self.endings: defaultdict[str, int] = defaultdict(int)
        self.writes = 0
        self._due: dict[str, list[tuple[float, str, str]]] = {each: [] for each in SHARDS}
        self._fault = fault

    def accept(self, acceptance: Acceptance) -> str | None:
        self._fault("accept:before")
        job, limits = acceptance.job, acceptance.limits
        if acceptance.idempotency_key is not None:
            known = self.idempotent.get((job.tenant_id, acceptance.idempotency_key))
            if known is not None:
                if known[1] != acceptance.body_hash:
                    raise KeyReusedError
                return known[0]
        if self.active[job.tenant_id] >= limits.max_active:
            raise AdmissionError("active", limits.max_active)
        today = (job.tenant_id, day(acceptance.now))
        if self.daily[today] >= limits.max_per_day:
            raise AdmissionError("daily", limits.max_per_day)
        self.active[job.tenant_id] += 1
        self.daily[today] += 1
        if acceptance.idempotency_key is not None:
            record = (job.dispatch_id, acceptance.body_hash)
            self.idempotent[job.tenant_id, acceptance.idempotency_key] = record
        self.given[job.tenant_id, job.dispatch_id] = acceptance.inputs
        self._put(job)
        self._fault("accept:after")
        return None

    def active_total(self) -> int:
        return sum(self.active.values())

    def _put(self, job: Job) -> None:
        self.writes += 1
        self.jobs[job.tenant_id, job.dispatch_id] = job
        if job.deadline_at is not None:
            entry = (job.deadline_at, job.tenant_id, job.dispatch_id)
            heapq.heappush(self._due[shard(job.dispatch_id)], entry)

    def get(self, tenant_id: str, dispatch_id: str) -> Job | None:
        self._fault("get")
        return self.jobs.get((tenant_id, dispatch_id))

    def get_many(self, ids: Iterable[tuple[str, str]]) -> list[Job]:
        self._fault("get")
        return [self.jobs[each] for each in dict.fromkeys(ids) if each in self.jobs]

    def assignment(self, tenant_id: str, dispatch_id: str) -> tuple[Job | None, Inputs | None]:
        self._fault("get")
        return self.jobs.get((tenant_id, dispatch_id)), self.given.get((tenant_id, dispatch_id))

    def save(self, old: Job, new: Job) -> None:
        self._fault("save:before")
        stored = self.jobs[new.tenant_id, new.dispatch_id]
        if stored.version != old.version:
            raise ConflictError
        assert new.version == old.version + 1
        if stored.status is not new.status:
            assert new.status in TRANSITIONS[stored.status], (stored.status, new.status)
            if new.status.terminal:
                self.active[new.tenant_id] -= 1
                self.endings[new.dispatch_id] += 1
        # As the table does: write what differs; a decision made from a part of the job keeps the rest.
        changed = {name: value for name, value in vars(new).items() if value != getattr(old, name)}
        self._put(type(stored)(**{**vars(stored), **changed}))
        self._fault("save:after")

    def page(self, tenant_id: str, filters: Filters, after: str | None, limit: int) -> JobPage:
        jobs = sorted(
            (job for key, job in self.jobs.items() if key[0] == tenant_id), key=lambda j: j.dispatch_id
        )
        return JobPage(jobs=jobs[::-1][:limit], last=None)

    def due(self, shard: str, now: float, limit: int) -> list[tuple[str, str]]:
        self._fault("due")
        heap, found = self._due[shard], []
        while heap and heap[0][0] <= now and len(found) < limit:
            at, tenant_id, dispatch_id = heapq.heappop(heap)
            job = self.jobs.get((tenant_id, dispatch_id))
            if job is not None and job.deadline_at == at and (tenant_id, dispatch_id) not in found:
                found.append((tenant_id, dispatch_id))
        # What stays due stays in the index until its job is written.
        for tenant_id, dispatch_id in found:
            heapq.heappush(heap, (self.jobs[tenant_id, dispatch_id].deadline_at or 0, tenant_id, dispatch_id))
        return found


class FakeQueue:
    """SQS in memory: at least once, visibility time-outs, delays."""

    def __init__(self, clock: FakeClock, fault: Fault = no_fault, visibility: float = 60) -> None:
        self.clock = clock
        self.visibility = visibility
        self.sent = 0
        self._fault = fault
        self._ids = itertools.count()
        self._bodies: dict[str, str] = {}
        self._visible: dict[str, float] = {}
        self._heap: list[tuple[float, int, str]] = []

    def __len__(self) -> int:
        return len(self._bodies)

    def _show(self, receipt: str, at: float) -> None:
        self._visible[receipt] = at
        heapq.heappush(self._heap, (at, next(self._ids), receipt))

    def send(self, body: str, delay: float = 0) -> None:
        self._fault("send:before")
        receipt = str(next(self._ids))
        self._bodies[receipt] = body
        self.sent += 1
        self._show(receipt, self.clock() + delay)
        self._fault("send:after")

    def receive(self, maximum: int, wait: int) -> list[Received]:
        self._fault("receive")
        found: list[Received] = []
        while self._heap and self._heap[0][0] <= self.clock() and len(found) < maximum:
            at, _, receipt = heapq.heappop(self._heap)
            if receipt in self._bodies and self._visible[receipt] == at:
                self._show(receipt, self.clock() + self.visibility)
                found.append(Received(body=self._bodies[receipt], receipt=receipt))
        return found

    def delete(self, receipts: Sequence[str]) -> None:
        self._fault("delete")
        for receipt in receipts:
            self._bodies.pop(receipt, None)
            self._visible.pop(receipt, None)

    def extend(self, receipts: Sequence[str], seconds: int) -> None:
        for receipt in receipts:
            if receipt in self._bodies:
                self._show(receipt, self.clock() + seconds)

    def depth(self) -> int:
        return len(self._bodies)

    def lose_one(self) -> None:
        if self._bodies:
            self.delete([next(iter(self._bodies))])

    def repeat_all(self) -> None:
        """Everything that was received and not deleted comes again now, and some of it twice."""
        for n, (receipt, body) in enumerate(list(self._bodies.items())):
            self._show(receipt, self.clock())
            if n >= 5 or len(self._bodies) > 30:
                continue
            copy = str(next(self._ids))
            self._bodies[copy] = body
            self._show(copy, self.clock())


@dataclass
class FakeTask:
    """A task of the fake ECS."""

    arn: str
    spec: LaunchSpec
    created_at: float
    status: str = "PENDING"  # PENDING, RUNNING, STOPPED
    exit_code: int | None = None
    stop_code: str = ""
    reason: str = ""
    stop_wanted: bool = False
    claimed: bool = False
    version: int = 1

    @property
    def owner(self) -> tuple[str, str, int]:
        found = worker_protocol.parse_started_by(self.spec.started_by)
        assert found is not None
        return found


@dataclass
class FakeTasks:
    """ECS in memory: client tokens, refusals by a function, stopping in two steps, events."""

    clock: FakeClock
    events: FakeQueue
    fault: Fault = no_fault
    refuse: Callable[[LaunchSpec], str | None] = lambda spec: None
    throttled: bool = False
    tasks: dict[str, FakeTask] = field(default_factory=dict)
    by_token: dict[str, str] = field(default_factory=dict)
    by_mark: dict[str, str] = field(default_factory=dict)
    made: list[FakeTask] = field(default_factory=list)  # since someone last emptied it
    calls: int = 0

    def run(self, spec: LaunchSpec) -> str:
        self.calls += 1
        self.fault("run:before")
        known = self.by_token.get(spec.client_token)
        if known is None:
            if self.throttled:
                raise LaunchRefusedError("ThrottlingException", "Rate exceeded")
            refusal = self.refuse(spec)
            if refusal is not None:
                raise LaunchRefusedError("ClientException", refusal)
            known = f"arn:aws:ecs:us-east-1:1:task/c/{spec.client_token}"
            self.tasks[known] = FakeTask(known, spec, self.clock())
            self.made.append(self.tasks[known])
            self.by_token[spec.client_token] = known
            self.by_mark[spec.started_by] = known
        self.fault("run:after")
        return known

    def stop(self, arn: str, reason: str) -> None:
        self.fault("stop:before")
        task = self.tasks.get(arn)
        if task is not None and task.status != "STOPPED":
            task.stop_wanted = True
            task.reason = reason
        self.fault("stop:after")

    def end(self, task: FakeTask, *, exit_code: int | None, stop_code: str, reason: str = "") -> None:
        """The task stops, and an event says so."""
        if task.status == "STOPPED":
            return
        task.status, task.exit_code, task.stop_code = "STOPPED", exit_code, stop_code
        task.reason = reason or task.reason
        task.version += 1
        self.events.send(json.dumps({"detail": self.detail(task)}))

    def detail(self, task: FakeTask) -> dict[str, Any]:
        container = {"name": "worker"} | ({} if task.exit_code is None else {"exitCode": task.exit_code})
        return {
            "taskArn": task.arn,
            "startedBy": task.spec.started_by,
            "lastStatus": task.status,
            "version": task.version,
            "stopCode": task.stop_code,
            "stoppedReason": task.reason,
            "containers": [container],
        }

    def describe(self, arns: Sequence[str]) -> dict[str, TaskView]:
        self.fault("describe")
        return {arn: self._view(arn) for arn in arns}

    def _view(self, arn: str) -> TaskView:
        task = self.tasks.get(arn)
        if task is None:
            return TaskView(seen=Seen.MISSING, arn=arn)
        if task.status != "STOPPED":
            return TaskView(seen=Seen.ACTIVE, arn=arn)
        evidence = StoppedEvidence(
            task_arn=arn, stop_code=task.stop_code, stopped_reason=task.reason, exit_code=task.exit_code
        )
        return TaskView(seen=Seen.STOPPED, arn=arn, evidence=evidence)

    def find(self, started_by: str) -> str | None:
        self.fault("describe")
        arn = self.by_mark.get(started_by)
        return arn if arn in self.tasks else None

    def running(self, family: str) -> list[TaskSummary]:
        return [
            TaskSummary(arn=task.arn, started_by=task.spec.started_by, created_at=task.created_at)
            for task in self.tasks.values()
            if task.spec.family == family and task.status != "STOPPED"
        ]

    def forget(self) -> None:
        """ECS forgets stopped tasks after an hour."""
        self.tasks = {arn: task for arn, task in self.tasks.items() if task.status != "STOPPED"}


class FakeCoordination:
    """Leases are always granted; launches are counted by the second, as in the table."""

    def __init__(self) -> None:
        self._second = -1
        self._taken = 0
        self.told: dict[str, str] = {}

    def lease(self, name: str, owner: str, now: float, seconds: float) -> bool:
        return True

    def take_launches(self, wanted: int, per_second: int, now: float) -> int:
        if int(now) > self._second:
            self._second, self._taken = int(now), 0
        granted = max(0, min(wanted, per_second - self._taken))
        self._taken += granted
        return granted

    def tell_queue(self, replica: str, text: str, now: float) -> None:
        self.told[replica] = text

    def queues(self) -> Mapping[str, str]:
        return dict(self.told)


class FakeLogs:
    """No log."""

    def page(self, agent: Agent, task_arn: str, token: str | None, limit: int) -> LogPage:
        return LogPage(lines=(), token=None)

    def tail(self, agent: Agent, task_arn: str, limit: int) -> list[str]:
        return []


class FakeArtifacts:
    """URLs that lead nowhere, and what was put by the test."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def upload_url(
        self, key: str, *, content_type: str, size: int, sha256: str
    ) -> tuple[str, dict[str, str]]:
        return f"https://bucket/{key}", {}

    def download_url(self, key: str) -> str:
        return f"https://bucket/{key}"

    def read(self, key: str, *, start: int = 0, limit: int | None = None) -> bytes | None:
        data = self.objects.get(key)
        return None if data is None else data[start : None if limit is None else start + limit]


class FakeSecrets:
    """Secrets by name."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values = dict(values or {})

    def has_value(self, name: str) -> bool:
        return name in self.values

    def value(self, name: str) -> str | None:
        return self.values.get(name)


class FakeAudit:
    """The entries that were written."""

    def __init__(self) -> None:
        self.entries: list[Mapping[str, object]] = []

    def write(self, entries: Sequence[Mapping[str, object]]) -> None:
        self.entries += entries

    def page(self, tenant_id: str, after: str | None, limit: int) -> AuditPage:
        return AuditPage(entries=self.entries, last=None)
