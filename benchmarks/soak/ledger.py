"""What was asked for, what was done to it, and which end is therefore right."""

import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from outpost.dispatch import Status
from outpost.exit_codes import WorkerExit


class Blow(StrEnum):
    """What can befall one dispatch on purpose."""

    CANCELLED = "cancelled"  # the API answered a cancel with 202
    KILLED = "killed"  # SIGKILL to its worker
    OUT_OF_MEMORY = "out of memory"  # its worker, as the kernel does it
    INTERRUPTED = "interrupted"  # SIGTERM, as Fargate Spot does it


# What a worker's container exits with. A worker that was hit before it had its assignment is replaced, and
# one that had already reported had ended: then the dispatch ends as if nothing had happened.
_EXITS = {
    Blow.KILLED: WorkerExit.OUT_OF_MEMORY,  # 137: 128 + SIGKILL
    Blow.OUT_OF_MEMORY: WorkerExit.OUT_OF_MEMORY,
    Blow.INTERRUPTED: WorkerExit.TERMINATED,
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A kind of dispatch: its task, how it ends if nothing befalls it, and its share of the load."""

    name: str
    task: str
    ends: Status = Status.COMPLETED
    exit_code: WorkerExit = WorkerExit.COMPLETED
    share: int = 1
    files: int = 1  # that its changes have
    timeout: int = 600
    branch: str | None = None
    clones: bool = True
    steps: int = 0  # lines `step N` that its log must have, each once


PLANS = (
    Plan(name="change", task="Add a line.", share=8),
    Plan(name="no repository", task="Write it anew.", share=3, clones=False),
    Plan(name="steps", task="rehearse: sleep 3", share=6, steps=3),
    Plan(name="long", task="rehearse: sleep 20", share=2, steps=20),
    Plan(name="commit", task="rehearse: commit", share=2, files=2),
    Plan(name="no changes", task="rehearse: no-changes", share=2, files=0),
    Plan(name="daemon", task="rehearse: orphan", share=2),
    Plan(name="large task", task="ü" * 50_000),
    Plan(name="fails", task="rehearse: fail 3", ends=Status.FAILED, exit_code=WorkerExit.FAILED, share=2),
    Plan(
        name="crashes",
        task="rehearse: crash",
        ends=Status.FAILED,
        exit_code=WorkerExit.SEGMENTATION_FAULT,
    ),
    Plan(
        name="wrong branch", task="x", branch="no-such", ends=Status.FAILED, exit_code=WorkerExit.FAILED
    ),
    Plan(
        name="runs out of time",
        task="rehearse: sleep 600",
        ends=Status.TIMEOUT,
        exit_code=WorkerExit.TIMEOUT,
        timeout=30,
    ),
)  # fmt: skip


@dataclass
class Entry:
    """One accepted dispatch."""

    tenant: str
    dispatch_id: str
    plan: Plan
    webhook: bool = False
    blows: set[Blow] = field(default_factory=set)
    status: str = ""  # its terminal status as first seen
    exit_code: int | None = None
    files: int | None = None  # that it says it changed
    reason: str = ""

    def wrong(self) -> str:
        """Why this end is not the right one for what happened; "" if it is."""
        if not self.status:
            return "has not ended"
        if Blow.CANCELLED in self.blows:
            return "" if self.status == Status.CANCELLED else f"was cancelled, but is {self.status}"
        right = {(self.plan.ends.value, int(self.plan.exit_code))}
        right |= {(Status.FAILED.value, int(_EXITS[blow])) for blow in self.blows}
        if (self.status, self.exit_code) in right:
            return ""
        hit = f", {' and '.join(sorted(self.blows))}" if self.blows else ""
        return f"{self.plan.name!r}{hit} ended {self.status} with {self.exit_code}: {self.reason}"


@dataclass
class Ledger:
    """All accepted dispatches, and findings: what is wrong whatever else happened. Safe for threads."""

    entries: dict[str, Entry] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def accepted(self, entry: Entry) -> None:
        with self._lock:
            if entry.dispatch_id in self.entries:
                self.findings.append(f"{entry.dispatch_id} was given to two requests")
            self.entries[entry.dispatch_id] = entry

    def found(self, what: str) -> None:
        with self._lock:
            self.findings.append(what)

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def blow(self, dispatch_id: str, blow: Blow) -> None:
        with self._lock:
            if dispatch_id in self.entries:
                self.entries[dispatch_id].blows.add(blow)
                self.counts[f"workers {blow}" if blow is not Blow.CANCELLED else "cancelled"] += 1

    def seen(self, job: Mapping[str, Any]) -> bool:
        """Note what the API showed of a dispatch; whether it has ended. An end that changes is a finding."""
        with self._lock:
            entry = self.entries.get(job["dispatchId"])
            if entry is None:  # accepted, but its answer is still on the way to its client
                return False
            status = str(job["status"])
            if entry.status and status != entry.status:
                self.findings.append(f"{entry.dispatch_id} was {entry.status}, then {status}")
            elif not entry.status and Status(status).terminal:
                entry.status, entry.exit_code = status, job.get("exitCode")
                entry.files = (job.get("changes") or {}).get("files")
                reason = job.get("reason") or {}
                entry.reason = f"{reason.get('code', '')} {reason.get('summary', '')}".strip()
            return bool(entry.status)

    def of(self, tenant: str) -> list[Entry]:
        with self._lock:
            return [entry for entry in self.entries.values() if entry.tenant == tenant]

    def unended(self) -> list[Entry]:
        with self._lock:
            return [entry for entry in self.entries.values() if not entry.status]

    def wrong_changes(self) -> list[str]:
        """Completed dispatches that report another number of changed files than their plan makes."""
        return [
            f"{each} ({entry.plan.name}) reports {entry.files} changed files"
            for each, entry in self.entries.items()
            if entry.status == Status.COMPLETED and entry.files != entry.plan.files
        ]

    def ends(self) -> Counter[str]:
        with self._lock:
            return Counter(entry.status or "not ended" for entry in self.entries.values())


def draw(chance: random.Random, *, quick: bool) -> Plan:
    """A plan by the shares; with `quick`, one that ends within seconds."""
    plans = [plan for plan in PLANS if not quick or (plan.steps <= 3 and plan.ends is not Status.TIMEOUT)]
    return chance.choices(plans, [plan.share for plan in plans])[0]
