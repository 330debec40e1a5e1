"""The warm pool: idle workers that each lease one dispatch. What is decided about them, without AWS.

A slot is one idle worker: a task of an agent's family that was started without a dispatch. It is leased at
most once, and its task ends with the dispatch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from outpost.agents import Agent

MAX_PER_AGENT = 10  # idle workers are paid for while they wait
START_GRACE = 180.0  # seconds in which a new task has to ask for a dispatch for the first time
SILENCE = 60.0  # seconds after which an idle worker that does not ask any more is given up
FRESH = 30.0  # seconds since its last question within which a worker is given a dispatch
# An ended worker's slot says whose its task was, for events that come again. Every launch reads all slots of
# its agent, so it is not kept for long: what comes later is the reconciler's.
FORGOTTEN_AFTER = 600.0  # seconds
FORGOTTEN_AT_ONCE = 100  # slots of one round
FAILURES = 3  # idle workers in a row that died: from then on the breaker is open
BREAK_SECONDS = (30.0, 900.0)  # how long it is open at first, and at most

_PREFIX = "outpost-pool"
_TENANT = "#pool-"  # no tenant: a tenant id cannot start with it


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One idle worker. Times are epoch seconds; `leased_to` is the `startedBy` mark of an attempt."""

    agent: Agent
    slot: str
    created_at: float
    arn: str = ""
    seen_at: float | None = None
    leased_to: str = ""
    stopped_at: float | None = None

    @property
    def idle(self) -> bool:
        return not self.leased_to and self.stopped_at is None

    def lives(self, now: float) -> bool:
        """Idle, and either still starting or heard of lately."""
        if not self.idle:
            return False
        if self.seen_at is None:
            return now - self.created_at < START_GRACE
        return now - self.seen_at < SILENCE

    def ready(self, now: float) -> bool:
        return self.idle and self.seen_at is not None and now - self.seen_at < FRESH


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """How many idle workers of an agent died in a row before any asked, and until when to wait."""

    failures: int = 0
    open_until: float = 0.0

    def failed(self, now: float) -> "Breaker":
        failures = self.failures + 1
        if failures < FAILURES:
            return Breaker(failures=failures)
        first, longest = BREAK_SECONDS
        return Breaker(failures=failures, open_until=now + min(longest, first * 2.0 ** (failures - FAILURES)))

    def is_open(self, now: float) -> bool:
        return now < self.open_until


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a round of upkeep does: start so many, dismiss the surplus, give up the lost, forget the ended."""

    start: int = 0
    dismiss: Sequence[Slot] = ()
    give_up: Sequence[Slot] = ()
    forget: Sequence[Slot] = ()


def plan(slots: Sequence[Slot], size: int, breaker: Breaker, now: float) -> Plan:
    """Keep `size` idle workers: no more than the cap, none while the breaker is open, one to try it again."""
    lost = [slot for slot in slots if slot.idle and not slot.lives(now)]
    alive = sorted((slot for slot in slots if slot.lives(now)), key=lambda slot: slot.created_at)
    size = min(size, MAX_PER_AGENT)
    missing = max(0, size - len(alive))
    if breaker.is_open(now):
        missing = 0
    elif breaker.failures >= FAILURES:
        missing = min(missing, 1)
    ended = [
        slot for slot in slots if slot.stopped_at is not None and now - slot.stopped_at > FORGOTTEN_AFTER
    ]
    return Plan(start=missing, dismiss=alive[size:], give_up=lost, forget=ended[:FORGOTTEN_AT_ONCE])


def choose(slots: Sequence[Slot], here: Mapping[str, object], now: float) -> list[Slot]:
    """The slots to try for a dispatch: those whose question this replica holds first, the oldest first."""
    ready = [slot for slot in slots if slot.ready(now)]
    return sorted(ready, key=lambda slot: (slot.slot not in here, slot.created_at))


def started_by(agent: Agent, slot: str) -> str:
    """The mark of an idle worker's task."""
    return f"{_PREFIX}/{agent}/{slot}"


def parse_started_by(mark: str) -> tuple[Agent, str] | None:
    """Agent and slot of an idle worker's task; None for any other task."""
    prefix, _, rest = mark.partition("/")
    agent, _, slot = rest.partition("/")
    if prefix != _PREFIX or not slot or agent not in list(Agent):
        return None
    return Agent(agent), slot


def pool_tenant(agent: Agent) -> str:
    """What stands for a tenant in an idle worker's token."""
    return f"{_TENANT}{agent}"


def agent_of(tenant_id: str) -> Agent | None:
    """The agent of an idle worker's token; None for the token of a dispatch."""
    name = tenant_id.removeprefix(_TENANT)
    return Agent(name) if tenant_id.startswith(_TENANT) and name in list(Agent) else None


class SlotStore(Protocol):
    """Where slots are kept for all replicas. Every method may raise `UnavailableError`."""

    def all(self, agent: Agent) -> list[Slot]: ...

    def get(self, agent: Agent, slot: str) -> Slot | None: ...

    def put(self, slot: Slot) -> None: ...

    def started(self, agent: Agent, slot: str, arn: str) -> None: ...

    def seen(self, agent: Agent, slot: str, now: float) -> Slot | None:
        """The slot after noting that its worker asked; None if it is not wanted any more."""

    def lease(self, agent: Agent, slot: str, leased_to: str) -> bool:
        """True for the one caller who gets the slot: it was idle and is this attempt's from now on."""

    def dismiss(self, agent: Agent, slot: str) -> bool:
        """Forget an idle slot; False if it has been leased meanwhile."""

    def stopped(self, agent: Agent, slot: str, now: float) -> bool:
        """Note that its task has ended; True the first time."""

    def forget(self, agent: Agent, slot: str) -> None:
        """Remove a slot whose task has ended."""

    def breaker(self, agent: Agent) -> Breaker: ...

    def set_breaker(self, agent: Agent, breaker: Breaker) -> None: ...
