"""A soak from its set-up to its verdict."""

import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import stage
from benchmarks.soak.api import Tenant
from benchmarks.soak.chaos import Chaos, Weather
from benchmarks.soak.ledger import PLANS, Ledger
from benchmarks.soak.load import AGENTS, Load
from benchmarks.soak.watch import Snapshot, Watch
from benchmarks.soak.webhooks import Receiver
from local.testing import LocalRegion
from outpost.dispatch import Status
from service.domain.policy import Policy

TENANTS = ("acme", "bolt", "cava", "dune")
REPLICAS = 2
WARM_AGENT, WARM = "aider", 1
# A running dispatch is looked at every 300 s (`Policy.running_check`): that long a killed worker whose event
# was lost may stay unnoticed; then the sweep, the log and the report take their time.
SETTLE_SECONDS = 420.0
IDLE_SECONDS = (
    60.0  # until queues have run dry and orphans have been swept, after the last dispatch has ended
)
PROGRESS_SECONDS = 30.0
GIVEN_UP = {"N": str(Policy().max_start_failures)}
# DESIGN section 10: memory of a control plane after load.
CONTROL_PLANE_MB = 150.0
# What the embedded AWS keeps of one dispatch (job, inputs, artifacts, log lines, the task, the audit of its
# calls) is 110 KB when all is well; here some are tried again, and large tasks are among them.
DAEMON_KB = 200.0
# The daemon has a thread for each connection that a client keeps; these come and go.
THREADS, FILES = 10, 20
WITNESS_GROWTH_MB = 15.0  # of one spared control plane in a third of the run, once it is warm


@dataclass(frozen=True)
class Check:
    """One thing that a soak must show. `wrong`: what speaks against it; empty when it is kept."""

    name: str
    wrong: list[str] = field(default_factory=list)
    shown: str = ""

    @property
    def kept(self) -> bool:
        return not self.wrong


@dataclass
class Soak:
    """One run. `quick`: only what ends within seconds, for the tests."""

    region: LocalRegion
    directory: Path
    seconds: float
    per_second: float
    weather: Weather
    seed: int = 1
    quick: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    tenants: list[Tenant] = field(default_factory=list)

    def run(self) -> list[Check]:
        """Load and faults for so many seconds, then rest; what it came to."""
        chance = random.Random(self.seed)
        watch = Watch(self.region)
        if not self.quick:
            stage.reconfigure(self.region, replicas=REPLICAS, WARM_POOL=f"{WARM_AGENT}={WARM}")
        self.tenants += [
            Tenant(name, self.region.api_url, stage.tenant_key(self.region, name), self.ledger.found)
            for name in TENANTS
        ]
        repository = stage.repository(self.directory / "project", files=20)
        with Receiver() as receiver:
            load = Load(self.tenants, repository, receiver.url, self.ledger, chance, self.quick)
            chaos = Chaos(self.region, self.ledger, self.weather, chance)
            self._warm_up(load)
            baseline, accepted = watch.look(), len(self.ledger.entries)
            chaos.start()
            follow = Progress(self, watch, chaos)
            follow.start()
            load.run(self.seconds, self.per_second)
            chaos.end()
            self._settle()
            self._await(lambda: not receiver.missing(self.ledger))
            self._await(lambda: not watch.queues() and watch.look().workers <= (0 if self.quick else WARM))
            follow.end()
            end = watch.look()
            undelivered = receiver.missing(self.ledger)
        during = len(self.ledger.entries) - accepted
        return [
            *self._outcomes(watch, undelivered),
            *self._left(watch, baseline, end),
            *self._memory(baseline, end, during, follow.witnessed),
        ]

    def _warm_up(self, load: Load) -> None:
        """Every kind of request once or more, so that what is made lazily is there before the baseline."""
        if not self.quick:
            load.post_only(plan for plan in PLANS if plan.ends is Status.COMPLETED and plan.steps <= 3)
            self._settle()

    def _settle(self) -> None:
        """Until everything has ended; and once more, for nothing may change any more."""
        end = time.monotonic() + SETTLE_SECONDS
        while self.ledger.unended() and time.monotonic() < end:
            time.sleep(0.5)
            self.look()
        self.look()

    def look(self) -> None:
        """See every dispatch of every tenant as its list shows it, also those that have ended."""
        for tenant in self.tenants:
            for page in tenant.pages("/dispatch", limit=100):
                for job in page["dispatches"]:
                    self.ledger.seen(job)

    def _await(self, condition: Callable[[], bool]) -> None:
        """For a while; what has not come true by then is judged by the checks."""
        end = time.monotonic() + IDLE_SECONDS
        while not condition() and time.monotonic() < end:
            time.sleep(0.5)

    # --- the verdict

    def _outcomes(self, watch: Watch, undelivered: list[str]) -> list[Check]:
        ledger = self.ledger
        wrong = []
        for entry in ledger.entries.values():
            if why := entry.wrong():
                item = watch.item(entry.tenant, entry.dispatch_id)
                if entry.status == Status.FAILED and item.get("startFailures") == GIVEN_UP:
                    ledger.count("dispatches that could not be started")  # as often as the policy allows
                else:
                    wrong.append(f"{entry.dispatch_id} {why} {item}")
        starts = {each: n for each, n in watch.starts_of_agents(AGENTS).items() if n > 1}
        logged = {each: n for each, n in watch.ends_logged().items() if n > 1}
        ends = ", ".join(f"{count} {status}" for status, count in ledger.ends().most_common())
        return [
            Check("each ended, in the right state", wrong, ends),
            Check("each ended once", [f"{each} ended {n} times" for each, n in logged.items()]),
            Check("each agent ran at most once", [f"{each} ran {n} times" for each, n in starts.items()]),
            Check("its changes are those it made", ledger.wrong_changes()),
            Check("each webhook was delivered", undelivered),
            Check("every answer was right", ledger.findings, f"{ledger.counts.total()} looked at"),
            Check("no uncaught error", watch.defects()),
        ]

    def _left(self, watch: Watch, baseline: Snapshot, end: Snapshot) -> list[Check]:
        idle = 0 if self.quick else WARM
        tasks = len(end.control_planes) + end.workers
        # The fork server; and of each task its shim and its program.
        processes = _more("processes", 1 + 2 * tasks, end.processes, 0) + watch.strays()
        checks = [
            Check("no task is left", _more("workers", idle, end.workers, 0)),
            Check("no process is left", processes, f"{end.processes} below the daemon"),
            Check("no zombie is left", _more("zombies", 0, end.zombies, 0)),
            Check("no interface is left", _more("interfaces", baseline.interfaces, end.interfaces, 0)),
            Check("no directory is left", _more("directories", tasks, watch.directories(), 0)),
            Check("tenants' counts are back at 0", [f"{k}: {n}" for k, n in watch.counters().items()]),
            Check("no deadline is left", watch.deadlines()),
            Check("queues are empty", [f"{name}: {n}" for name, n in watch.queues().items()]),
        ]
        if not self.quick:  # which has no warm-up: threads and connections are made as they are needed
            left = _more("threads", baseline.daemon_threads, end.daemon_threads, THREADS)
            left += _more("files", baseline.daemon_files, end.daemon_files, FILES)
            shown = f"{end.daemon_threads} threads, {end.daemon_files} files of the daemon"
            checks.append(Check("no thread or file is left open", left, shown))
        return checks

    def _memory(self, baseline: Snapshot, end: Snapshot, during: int, witnessed: list[float]) -> list[Check]:
        kept = (end.daemon - baseline.daemon) * 1000 / max(1, during)
        grown = witnessed[-1] - witnessed[0] if len(witnessed) > 1 else 0.0
        checks = [
            Check(
                "memory of the control plane",
                [f"over {CONTROL_PLANE_MB:.0f} MB"] if end.largest > CONTROL_PLANE_MB else [],
                f"{end.largest:.0f} MB",
            ),
            Check(
                "growth of one spared control plane",
                [f"over {WITNESS_GROWTH_MB:.0f} MB"] if grown > WITNESS_GROWTH_MB else [],
                f"{grown:+.1f} MB",
            ),
        ]
        if during >= 200:  # of few, the daemon's own ups and downs are most
            wrong = [f"over {DAEMON_KB:.0f} KB"] if kept > DAEMON_KB else []
            checks.append(Check("what the daemon keeps of a dispatch", wrong, f"{kept:.0f} KB"))
        return checks


class Progress:
    """A line now and then on stderr, and the memory of one control plane that is spared in the last third."""

    def __init__(self, soak: Soak, watch: Watch, chaos: Chaos) -> None:
        self._soak, self._watch, self._chaos = soak, watch, chaos
        self._ended = threading.Event()
        self._begun = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self.witnessed: list[float] = []

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(min(PROGRESS_SECONDS, self._soak.seconds / 3)):
            passed = time.monotonic() - self._begun
            look = self._watch.look()
            if passed > self._soak.seconds * 0.6:
                self._witness(look)
            self._soak.look()
            ledger = self._soak.ledger
            unended = len(ledger.unended())
            kills = sum(n for what, n in ledger.counts.items() if what.startswith("control planes"))
            print(
                f"{passed:5.0f} s: {len(ledger.entries)} accepted, {unended} not ended, "
                f"{look.workers} workers, {kills} blows to control planes, daemon {look.daemon:.0f} MB, "
                f"control plane {look.largest:.0f} MB, {look.processes} processes, {look.zombies} zombies, "
                f"{len(ledger.findings)} findings",
                file=sys.stderr,
                flush=True,
            )

    def _witness(self, look: Snapshot) -> None:
        """Spare the oldest from here on; one that a roll-out has replaced is no witness any more."""
        if self._chaos.witness not in look.control_planes:
            running = self._chaos.control_planes()
            self._chaos.witness = running[0]["task"] if running else ""
            self.witnessed.clear()
        else:
            self.witnessed.append(look.control_planes[self._chaos.witness])


def _more(what: str, before: int, after: int, slack: int) -> list[str]:
    return [f"{after} {what}, should be about {before}"] if after > before + slack else []


def show(checks: list[Check], ledger: Ledger) -> str:
    """The verdict, a line for each check, and what was done."""
    lines = [
        f"accepted {len(ledger.entries)}; " + ", ".join(f"{n} {w}" for w, n in sorted(ledger.counts.items()))
    ]
    for check in checks:
        shown = f": {check.shown}" if check.shown else ""
        lines.append(f"{'kept  ' if check.kept else 'BROKEN'} {check.name}{shown}")
        lines += [f"         {each}" for each in check.wrong[:20]]
        if len(check.wrong) > 20:
            lines.append(f"         and {len(check.wrong) - 20} more")
    return "\n".join(lines)
