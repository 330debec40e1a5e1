"""What goes wrong during a soak: each fault at random times, each counted."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.soak.ledger import Blow, Ledger
from local.testing import LocalRegion
from outpost import worker_protocol
from outpost.errors import OutpostError
from outpost.names import CONTROL_PLANE_FAMILY, SERVICE, Names

TERM, KILL = 15, 9
PULL_FAILED = "CannotPullContainerError: pull image manifest has been retried 5 time(s): connection reset"


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How bad it is. Probabilities of each event and call, and seconds between two blows, on average."""

    events_lost: float = 0.2
    events_doubled: float = 0.2
    events_late: float = 0.1
    throttled: float = 0.03
    failed: float = 0.01
    slow: float = 0.02
    control_plane: float = 25
    worker: float = 20
    no_start: float = 60
    no_capacity: float = 150
    blackout: float = 150
    roll_out: float = 400


# For a run of seconds: whatever is killed with its event lost takes minutes until it is found missing.
SQUALL = Weather(
    events_lost=0.1, control_plane=5, worker=float("inf"), no_start=8, no_capacity=15, blackout=12
)


@dataclass
class Chaos:
    """Threads that do harm until they are told to end."""

    region: LocalRegion
    ledger: Ledger
    weather: Weather
    chance: random.Random
    witness: str = ""  # the ARN of a control plane's task that is spared, so that its memory can be followed
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._steady()
        weather = self.weather
        self._now_and_then(weather.control_plane, self._hit_control_plane)
        self._now_and_then(weather.worker, self._hit_worker)
        self._now_and_then(weather.no_start, self._no_start)
        self._now_and_then(weather.no_capacity, self._no_capacity)
        self._now_and_then(weather.blackout, self._blackout)
        self._now_and_then(weather.roll_out, self._roll_out)

    def end(self) -> None:
        """No more harm; what was done remains to be mended."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.region.fault("clear")

    def _steady(self) -> None:
        """Faults that any event or call may meet, all the time."""
        weather, fault = self.weather, self.region.fault
        fault("events", kind="drop", probability=weather.events_lost)
        fault("events", kind="duplicate", probability=weather.events_doubled, seconds=2.0)
        fault("events", kind="delay", probability=weather.events_late, seconds=4.0)
        fault("api", kind="throttle", callers="tasks", probability=weather.throttled)
        fault("api", kind="error", callers="tasks", probability=weather.failed)
        fault("api", kind="delay", callers="tasks", probability=weather.slow, seconds=0.5)

    def _now_and_then(self, seconds: float, blow: Callable[[], None]) -> None:
        if seconds == float("inf"):
            return

        def run() -> None:
            while not self._stop.wait(self.chance.uniform(0.3, 1.7) * seconds):
                try:
                    blow()
                except OutpostError:
                    self.ledger.count("blows that hit nothing")  # the task had ended meanwhile

        thread = threading.Thread(target=run, name=blow.__name__, daemon=True)
        self._threads.append(thread)
        thread.start()

    # --- the blows

    def control_planes(self) -> list[dict[str, Any]]:
        """The control plane's running tasks, oldest first."""
        return [
            task
            for task in self.region.tasks()
            if task["family"] == CONTROL_PLANE_FAMILY and task["status"] == "RUNNING"
        ]

    def _hit_control_plane(self) -> None:
        running = [task for task in self.control_planes() if task["task"] != self.witness]
        if running:
            number = self.chance.choice((KILL, KILL, KILL, TERM))
            self.region.fault("kill", task=self.chance.choice(running)["task"], signal_number=number)
            self.ledger.count("control planes killed" if number == KILL else "control planes terminated")

    def _hit_worker(self) -> None:
        workers = [
            task["task"]
            for task in self.region.tasks()
            if task["family"] != CONTROL_PLANE_FAMILY and task["status"] == "RUNNING"
        ]
        if not workers:
            return
        arn = self.chance.choice(workers)
        blow = self.chance.choice((Blow.KILLED, Blow.KILLED, Blow.OUT_OF_MEMORY, Blow.INTERRUPTED))
        control = {Blow.KILLED: "kill", Blow.OUT_OF_MEMORY: "oom", Blow.INTERRUPTED: "spot"}[blow]
        self.region.fault(control, task=arn)
        if (dispatch_id := self._whose(arn)) is None:
            self.ledger.count("idle workers hit")
        else:
            self.ledger.blow(dispatch_id, blow)

    def _whose(self, arn: str) -> str | None:
        """The dispatch that a task works on, by its mark or, for a warm worker, its slot's lease."""
        names = Names(self.region.stack)
        (task,) = self.region.client("ecs").describe_tasks(cluster=names.cluster, tasks=[arn])["tasks"]
        mark = task.get("startedBy", "")
        if mark.startswith("outpost-pool/"):
            _, agent, slot = mark.split("/")
            key = {"tenantId": {"S": f"#pool#{agent}"}, "dispatchId": {"S": slot}}
            item = self.region.client("dynamodb").get_item(
                TableName=names.jobs_table, Key=key, ConsistentRead=True
            )
            mark = item.get("Item", {}).get("leasedTo", {}).get("S", "")
        owner = worker_protocol.parse_started_by(mark)
        return owner[1] if owner else None

    def _no_start(self) -> None:
        family = self.chance.choice(("outpost-claude", "outpost-aider", "outpost-codex"))
        self.region.fault("fail-start", family=family, reason=PULL_FAILED)
        self.ledger.count("starts failed")

    def _no_capacity(self) -> None:
        self.region.fault("capacity", available=False)
        self._stop.wait(self.chance.uniform(2, 8))
        self.region.fault("capacity", available=True)
        self.ledger.count("times without capacity")

    def _blackout(self) -> None:
        """For some seconds one service refuses nearly everything."""
        service = self.chance.choice(("dynamodb", "sqs", "ecs", "logs", "s3"))
        seconds = self.chance.uniform(2, 6)
        self.region.fault(
            "api", kind="throttle", service=service, callers="tasks", probability=0.9, lasts=seconds
        )
        self.ledger.count(f"blackouts of {service}")

    def _roll_out(self) -> None:
        names = Names(self.region.stack)
        self.region.client("ecs").update_service(
            cluster=names.cluster, service=SERVICE, forceNewDeployment=True
        )
        self.witness = ""  # its task is replaced
        self.ledger.count("roll-outs")
