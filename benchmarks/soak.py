"""Mixed load in a local region while control planes are killed, events lost and doubled, and AWS throttles.

Every accepted dispatch must end, once; no task and no process may be left; memory must not grow. Thirty
minutes by default; the tests run it for seconds.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil

from local.testing import LocalRegion
from outpost.dispatch import Status

ENDED = {status.value for status in Status if status.terminal}
CONTROL_PLANE = "outpost-control-plane"
TASKS = ("say hello", "rehearse: sleep 1", "rehearse: fail 1", "rehearse: no-changes")
SETTLE_SECONDS = 240  # a running dispatch whose event was lost ends by its time limit and the grace


@dataclass
class Soak:
    """What was asked for and what came of it."""

    accepted: dict[str, str] = field(default_factory=dict)  # id -> how it ended, "" until then
    cancelled: set[str] = field(default_factory=set)
    kills: int = 0
    changed_after_end: list[str] = field(default_factory=list)
    tasks_left: list[str] = field(default_factory=list)
    memory: float = 0  # MB of the largest control plane at the end

    @property
    def unended(self) -> list[str]:
        return [each for each, status in self.accepted.items() if not status]


class Client:
    """As the client library does: an idempotency key, and another try when nothing answers."""

    def __init__(self, region: LocalRegion) -> None:
        self._http = httpx.Client(base_url=region.api_url, headers={"X-API-Key": region.api_key}, timeout=20)

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        end = time.monotonic() + 60
        while True:
            try:
                answer = self._http.request(method, path, **arguments)
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
            except httpx.HTTPError:
                pass
            if time.monotonic() > end:
                raise TimeoutError(f"{method} {path} was not answered for 60 s")
            time.sleep(0.2)


def soak(region: LocalRegion, seconds: float, *, per_second: float = 1.5, seed: int = 1) -> Soak:
    """Put load and faults on the region for a while, then let it settle and look."""
    chance = random.Random(seed)
    client, outcome = Client(region), Soak()
    region.fault("events", kind="drop", probability=0.2)
    region.fault("events", kind="duplicate", probability=0.2)
    region.fault("api", kind="throttle", callers="tasks", probability=0.03)
    end = time.monotonic() + seconds
    next_kill = time.monotonic() + seconds / 3
    while time.monotonic() < end:
        body = {
            "agent": chance.choice(["claude", "aider"]),
            "task": chance.choice(TASKS),
            "timeoutSeconds": 30,
        }
        made = client.call("POST", "/dispatch", json=body, headers={"Idempotency-Key": uuid4().hex})
        dispatch_id = made.json()["dispatchId"]
        outcome.accepted[dispatch_id] = ""
        cancel = chance.random() < 0.15
        if cancel and client.call("DELETE", f"/dispatch/{dispatch_id}").status_code == 202:
            outcome.cancelled.add(dispatch_id)
        if time.monotonic() > next_kill:
            _kill(region, outcome)
            next_kill = time.monotonic() + chance.uniform(5, 40)
        time.sleep(chance.expovariate(per_second))
    region.fault("clear")
    _settle(region, client, outcome)
    return outcome


def _kill(region: LocalRegion, outcome: Soak) -> None:
    if any(task["family"] == CONTROL_PLANE and task["status"] == "RUNNING" for task in region.tasks()):
        region.fault("kill", task=CONTROL_PLANE)
        outcome.kills += 1


def _settle(region: LocalRegion, client: Client, outcome: Soak) -> None:
    end = time.monotonic() + SETTLE_SECONDS
    while outcome.unended and time.monotonic() < end:
        for dispatch_id in outcome.unended:
            status = client.call("GET", f"/dispatch/{dispatch_id}").json()["status"]
            outcome.accepted[dispatch_id] = status if status in ENDED else ""
        time.sleep(0.5)
    for dispatch_id, status in outcome.accepted.items():
        again = client.call("GET", f"/dispatch/{dispatch_id}").json()["status"]
        if status and again != status:
            outcome.changed_after_end.append(dispatch_id)

    def workers() -> list[str]:
        return [task["task"] for task in region.tasks() if task["family"] != CONTROL_PLANE]

    while workers() and time.monotonic() < end:
        time.sleep(0.5)
    outcome.tasks_left = workers()
    pids = [pid for task in region.tasks() if task["family"] == CONTROL_PLANE for pid in task["pids"]]
    outcome.memory = max((psutil.Process(pid).memory_info().rss / 1e6 for pid in pids), default=0)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as state, LocalRegion.start(Path(state)) as region:
        outcome = soak(region, options.minutes * 60, seed=options.seed)
    ends = ", ".join(
        f"{count} {status}" for status, count in Counter(outcome.accepted.values()).most_common()
    )
    print(f"accepted {len(outcome.accepted)}: {ends}; control planes killed: {outcome.kills}")
    print(f"not ended: {len(outcome.unended)}, changed after the end: {len(outcome.changed_after_end)}")
    print(f"tasks left: {len(outcome.tasks_left)}; memory of the control plane: {outcome.memory:.0f} MB")
    return 1 if outcome.unended or outcome.changed_after_end or outcome.tasks_left else 0


if __name__ == "__main__":
    sys.exit(main())
