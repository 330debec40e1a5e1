"""Where a waiting dispatch stands, and why it waits: answered from memory, the same on every replica.

Each replica holds some of the waiting dispatches. Every few seconds it writes which (a sample, if there are
many) to an item of its own, and reads those of the others (ADR 0023). So a place is as old as `as_of` says.
"""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from outpost.dispatch import Status
from service.application.launch_messages import family_of
from service.application.launching import Launcher
from service.domain.fairness import Position, position_of
from service.domain.job import Job, Reason
from service.domain.pauses import ALL
from service.domain.ports import Clock, Coordination

STALE_SECONDS = 20  # a replica that has not written for so long is gone; its dispatches are elsewhere soon
SAMPLE = 500  # ids of one replica's item: about 15 KB, of DynamoDB's 400
LOOKED_PER_SECOND = 5000  # so many dispatches of this replica's buffer may be looked at for answers
QUEUED = Reason(
    code="queued",
    summary="It waits for its turn: tenants take turns, and AWS limits the account's launches a second.",
)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What one replica holds: how many of each tenant, some or all of their ids, and what is refused."""

    at: float
    sizes: Mapping[str, int]
    ids: Mapping[str, Sequence[str]]  # in order
    refusals: Mapping[str, Reason]

    @classmethod
    def of(
        cls, at: float, waiting: Mapping[str, Sequence[str]], refusals: Mapping[str, Reason]
    ) -> "Snapshot":
        sizes = {tenant_id: len(ids) for tenant_id, ids in waiting.items()}
        ids = {tenant_id: sorted(each) for tenant_id, each in waiting.items()}
        return cls(at=at, sizes=sizes, ids=ids, refusals=refusals)

    def encode(self) -> str:
        """As it is written: every n-th id, so that all together are about `SAMPLE`."""
        step = 1 + sum(self.sizes.values()) // SAMPLE
        ids = {tenant_id: each[::step] for tenant_id, each in self.ids.items()}
        refusals = {line: asdict(reason) for line, reason in self.refusals.items()}
        return json.dumps({"at": self.at, "sizes": dict(self.sizes), "ids": ids, "refusals": refusals})

    @classmethod
    def decode(cls, text: str) -> "Snapshot":
        found = json.loads(text)
        refusals = {line: Reason(**reason) for line, reason in found["refusals"].items()}
        return cls(at=found["at"], sizes=found["sizes"], ids=found["ids"], refusals=refusals)

    def older(self, tenant_id: str, dispatch_id: str) -> float:
        """About how many of the tenant's are older than this one."""
        ids = self.ids.get(tenant_id, ())
        return bisect_left(ids, dispatch_id) * self.sizes[tenant_id] / len(ids) if ids else 0.0


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What is known of a dispatch that waits. Times in epoch seconds.

    `place` is among all that wait for a launch, on every replica, as of `as_of`; None until `again_at`.
    """

    reason: Reason
    as_of: float
    place: Position | None = None
    again_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class _View:
    """All that is known at one time."""

    at: float
    snapshots: Sequence[Snapshot]
    sizes: Mapping[str, int]


class QueueBoard:
    """Tells and hears who waits. Thread-safe: what is shared is replaced, never changed."""

    def __init__(self, *, launcher: Launcher, coordination: Coordination, clock: Clock, replica: str) -> None:
        self._launcher = launcher
        self._coordination = coordination
        self._clock = clock
        self._replica = replica
        self._others: Sequence[Snapshot] = ()
        self._view = _View(at=0, snapshots=(), sizes={})
        self._told = False

    def exchange(self) -> None:
        """Write what is here, if there is anything new to say, and read what the others wrote."""
        mine = self._look()
        something = bool(mine.sizes or mine.refusals)
        if something or self._told:
            self._coordination.tell_queue(self._replica, mine.encode(), mine.at)
            self._told = something
        told = self._coordination.queues()
        others = [Snapshot.decode(text) for replica, text in told.items() if replica != self._replica]
        self._others = [each for each in others if mine.at - each.at < STALE_SECONDS]
        self._view = _View(at=0, snapshots=(), sizes={})  # look anew, with theirs

    def _look(self) -> Snapshot:
        return Snapshot.of(self._clock(), self._launcher.waiting(), self._launcher.refusals())

    def _seen(self) -> "_View":
        view = self._view
        if not 0 <= self._clock() - view.at < sum(view.sizes.values()) / LOOKED_PER_SECOND:
            snapshots = (self._look(), *self._others)
            sizes: Counter[str] = Counter()
            for each in snapshots:
                sizes.update(each.sizes)
            view = self._view = _View(at=snapshots[0].at, snapshots=snapshots, sizes=sizes)
        return view

    def outlook(self, job: Job) -> Outlook | None:
        """How it stands with a dispatch; None for one that does not wait."""
        if job.status is not Status.PENDING:
            return None
        view = self._seen()
        as_of = min(each.at for each in view.snapshots)
        refusal = self.refusal(family_of(job))
        if job.launch_after is not None and job.launch_after > self._clock():
            reason = job.waiting_reason or refusal or QUEUED
            return Outlook(reason=reason, as_of=as_of, again_at=job.launch_after)
        rank = round(sum(each.older(job.tenant_id, job.dispatch_id) for each in view.snapshots))
        place = position_of(view.sizes, job.tenant_id, rank)
        return Outlook(reason=refusal or job.waiting_reason or QUEUED, as_of=as_of, place=place)

    def refusal(self, family: str) -> Reason | None:
        """Why nothing is launched from this family now, as far as any replica has said."""
        for snapshot in self._seen().snapshots:
            reason = snapshot.refusals.get(ALL) or snapshot.refusals.get(family)
            if reason is not None:
                return reason
        return None
