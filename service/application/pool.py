"""The warm pool's use cases: keep idle workers, give one a dispatch, and know whose task it then is."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ulid import ULID

from outpost import names, worker_protocol
from outpost.agents import Agent
from outpost.exit_codes import WorkerExit
from service import log
from service.domain import pool
from service.domain.events import TaskView
from service.domain.pool import Breaker, Slot, SlotStore
from service.domain.ports import Clock, LaunchRefusedError, LaunchSpec, Tasks, TaskSummary, UnavailableError
from service.domain.tokens import WorkerIdentity, WorkerTokens

HARMLESS = frozenset({WorkerExit.COMPLETED, WorkerExit.TERMINATED})


class WarmPool:
    """Idle workers per agent. `sizes` says how many to keep; an agent that is not in it has none."""

    def __init__(
        self,
        *,
        slots: SlotStore,
        tasks: Tasks,
        tokens: WorkerTokens,
        sizes: Mapping[Agent, int],
        clock: Clock,
    ) -> None:
        self._slots = slots
        self._tasks = tasks
        self._tokens = tokens
        self._sizes = {agent: size for agent, size in sizes.items() if size > 0}
        self._clock = clock
        self._waiting: dict[str, Callable[[str], object]] = {}
        self._lock = threading.Lock()

    @property
    def enabled(self) -> bool:
        return bool(self._sizes)

    # --- the idle worker's question

    def ask(self, agent: Agent, slot: str) -> Slot | None:
        """Note that the slot's worker is there. Its slot, leased or not; None when it is to go."""
        found = self._slots.get(agent, slot)
        if found is None or found.stopped_at is not None:
            return None
        if found.leased_to:
            return found  # its answer was lost on the way
        if agent not in self._sizes:
            return None
        if found.seen_at is None and self._slots.breaker(agent).failures:
            self._slots.set_breaker(agent, Breaker())  # the image works again
        return self._slots.seen(agent, slot, self._clock())

    def look(self, agent: Agent, slot: str) -> Slot | None:
        """The slot as it is now."""
        return self._slots.get(agent, slot)

    def wait_here(self, slot: str, wake: Callable[[str], object]) -> None:
        """Call `wake` with the attempt's mark when this replica leases the slot."""
        with self._lock:
            self._waiting[slot] = wake

    def leave(self, slot: str) -> None:
        with self._lock:
            self._waiting.pop(slot, None)

    # --- giving it a dispatch

    def take(self, agent: Agent, mark: str) -> str | None:
        """The ARN of the idle worker that this attempt now has, the same when asked again; None for none."""
        if agent not in self._sizes:
            return None
        slots = self._slots.all(agent)
        if known := next((slot for slot in slots if slot.leased_to == mark), None):
            return known.arn or None
        with self._lock:
            here = dict(self._waiting)
        for slot in pool.choose(slots, here, self._clock()):
            if slot.arn and self._slots.lease(agent, slot.slot, mark):
                if wake := here.get(slot.slot):
                    wake(mark)
                log.metric("WarmStart", agent=agent)
                return slot.arn
        return None

    def find(self, mark: str) -> str | None:
        """The ARN of the idle worker that an attempt was given."""
        for agent in self._sizes:
            for slot in self._slots.all(agent):
                if slot.leased_to == mark:
                    return slot.arn or None
        return None

    def leased(self, agent: Agent) -> dict[str, str]:
        """The marks of the attempts that were given idle workers, by the ARN of the task."""
        return {slot.arn: slot.leased_to for slot in self._slots.all(agent) if slot.leased_to}

    # --- its end

    def ended(self, mark: str, exit_code: int | None) -> tuple[str, str, int] | None:
        """An idle worker's task has stopped: whose it was by then. An unleased one that died counts."""
        owner = pool.parse_started_by(mark)
        if owner is None:
            return None
        agent, slot = owner
        found = self._slots.get(agent, slot)
        if found is None:
            return None  # dismissed
        first = self._slots.stopped(agent, slot, self._clock())
        if found.leased_to:
            return worker_protocol.parse_started_by(found.leased_to)
        if first and exit_code not in HARMLESS:
            self._failed(agent)
        return None

    # --- upkeep

    def keep(self) -> None:
        """One round: start what is missing, dismiss the surplus, give up the lost, forget what has ended."""
        for agent, size in self._sizes.items():
            now = self._clock()
            todo = pool.plan(self._slots.all(agent), size, self._slots.breaker(agent), now)
            for slot in todo.give_up:
                if self._slots.dismiss(agent, slot.slot):
                    log.warning("idle worker lost", event="pool-lost", agent=agent, taskArn=slot.arn)
                    self._stop(slot)
                    if slot.seen_at is None:
                        self._failed(agent)
            for slot in todo.dismiss:
                self._slots.dismiss(agent, slot.slot)  # its next question is answered with "go"
            for slot in todo.forget:
                self._slots.forget(agent, slot.slot)
            for _ in range(todo.start):
                if not self._start(agent):
                    break

    def _start(self, agent: Agent) -> bool:
        slot = Slot(agent=agent, slot=str(ULID()), created_at=self._clock())
        mark = pool.started_by(agent, slot.slot)
        identity = WorkerIdentity(pool.pool_tenant(agent), slot.slot, 1)
        spec = LaunchSpec(
            family=names.family(agent),
            client_token=slot.slot,
            started_by=mark,
            environment={
                worker_protocol.POOL_SLOT: slot.slot,
                worker_protocol.TOKEN: self._tokens.issue(identity),
            },
        )
        self._slots.put(slot)  # before RunTask: its worker may ask before this call has returned
        try:
            arn = self._tasks.run(spec)
        except LaunchRefusedError as error:
            log.warning("idle worker not started", event="pool-refused", agent=agent, code=error.code)
            self._slots.dismiss(agent, slot.slot)
            self._failed(agent)
            return False
        self._slots.started(agent, slot.slot, arn)
        log.info("idle worker started", event="pool-started", agent=agent, taskArn=arn)
        return True

    def _failed(self, agent: Agent) -> None:
        breaker = self._slots.breaker(agent).failed(self._clock())
        self._slots.set_breaker(agent, breaker)
        if breaker.open_until:
            log.warning(
                "idle workers keep dying: no more for a while",
                event="pool-breaker-open",
                agent=agent,
                failures=breaker.failures,
            )

    def _stop(self, slot: Slot) -> None:
        if slot.arn:
            self._tasks.stop(slot.arn, "Outpost: this idle worker does not answer")


class PooledTasks:
    """`Tasks` that gives an attempt an idle worker if there is one, and else launches a task as ever."""

    def __init__(self, tasks: Tasks, warm: WarmPool) -> None:
        self._tasks = tasks
        self._warm = warm

    def run(self, spec: LaunchSpec) -> str:
        agent = next((agent for agent in Agent if names.family(agent) == spec.family), None)
        if agent is not None and self._warm.enabled:
            try:
                if arn := self._warm.take(agent, spec.started_by):
                    return arn
            except UnavailableError as error:
                # A lease that was written is found again when this launch is repeated.
                log.warning("warm pool not asked", event="pool-lost", error=str(error))
                raise
        return self._tasks.run(spec)

    def stop(self, arn: str, reason: str) -> None:
        self._tasks.stop(arn, reason)

    def describe(self, arns: Sequence[str]) -> dict[str, TaskView]:
        return self._tasks.describe(arns)

    def find(self, started_by: str) -> str | None:
        return self._tasks.find(started_by) or (self._warm.find(started_by) if self._warm.enabled else None)

    def running(self, family: str) -> list[TaskSummary]:
        """The family's tasks; one that was leased from the pool bears the mark of its dispatch."""
        found = self._tasks.running(family)
        if not any(pool.parse_started_by(task.started_by) for task in found):
            return found
        agent = next(agent for agent in Agent if names.family(agent) == family)
        leased = self._warm.leased(agent)
        return [replace(task, started_by=leased[task.arn]) if task.arn in leased else task for task in found]
