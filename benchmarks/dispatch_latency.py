"""How long from an accepted dispatch to the agent's process, in the local region (DESIGN section 10).

    python -m benchmarks.dispatch_latency [COUNT] [--warm]

With --warm, an idle worker of the warm pool is there for every dispatch (at most 8).

One dispatch after the other on an otherwise idle region. The instants are the system's own records: when the
API accepted it (`createdAt`), when its worker was given its assignment (`startedAt`), what it said when
(output.log), and when it started the agent's process (`agentStartedAt` in result.json), in a full checkout.
All clocks are this machine's.
"""

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.rows import Row, report
from benchmarks.stage import call, idle_workers, reconfigure, repository
from local.testing import LocalRegion
from outpost.dispatch import Status

GOAL, WARM_GOAL = 0.5, 0.1  # seconds, median
AGENT = "claude"
MAX_WARM = 8  # of the pool's 10: two warm up
POOL_WITHIN = 120.0  # seconds until all idle workers are there
WARM_UP = 2  # dispatches that are not counted: they fill the control plane's caches
ENDS_WITHIN = 30.0
FILES = 20  # of the repository


@dataclass(frozen=True)
class Sample:
    """Seconds since the dispatch was accepted."""

    assigned: float
    heard: float
    cloned: float
    agent: float
    ended: float


STAGES = {
    "assigned": "assignment given",
    "heard": "worker has it",
    "cloned": "repository is there",
    "agent": "agent's process",
    "ended": "dispatch has ended",
}


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _artifact(artifacts: list[dict[str, Any]], name: str) -> str:
    url = next(artifact["url"] for artifact in artifacts if artifact["name"] == name)
    with urllib.request.urlopen(url, timeout=15) as answer:
        return str(answer.read().decode())


def measure(region: LocalRegion, project: Path, number: int) -> Sample:
    """One dispatch, from its acceptance to its end. Raises `RuntimeError` unless it completes."""
    body = {"agent": AGENT, "task": f"Task {number}.", "repository": str(project)}
    dispatch = call(region, "POST", "/dispatch", body)["dispatchId"]
    give_up = time.monotonic() + ENDS_WITHIN
    while True:
        job = call(region, "GET", f"/dispatch/{dispatch}")
        if Status(job["status"]).terminal:
            break
        if time.monotonic() > give_up:
            raise TimeoutError(f"dispatch {dispatch} is still {job['status']}")
        time.sleep(0.05)
    if job["status"] != Status.COMPLETED:
        raise RuntimeError(f"dispatch {dispatch} ended {job['status']}: {job.get('reason')}")
    artifacts = call(region, "GET", f"/dispatch/{dispatch}/artifacts")["artifacts"]
    result = json.loads(_artifact(artifacts, "result.json"))
    lines = [json.loads(line) for line in _artifact(artifacts, "output.log").splitlines()]
    said = [(line["message"], _instant(line["time"])) for line in lines if line["stream"] == "worker"]
    accepted = _instant(job["createdAt"])
    return Sample(
        assigned=_instant(job["startedAt"]) - accepted,
        heard=said[0][1] - accepted,
        cloned=next(at for message, at in said if message.startswith("at commit")) - accepted,
        agent=_instant(result["agentStartedAt"]) - accepted,
        ended=_instant(job["endedAt"]) - accepted,
    )


def warm_up_pool(region: LocalRegion, count: int) -> None:
    """Give the control plane a warm pool, as an operator would, and wait until its workers are idle."""
    reconfigure(region, WARM_POOL=f"{AGENT}={count}")
    region.wait_for(
        lambda: idle_workers(region, AGENT) >= count, POOL_WITHIN, f"a pool of {count} idle workers"
    )


def samples(count: int, *, warm: bool) -> list[Sample]:
    """Measure in a region of one's own."""
    with tempfile.TemporaryDirectory(prefix="outpost-bench-") as directory:
        project = repository(Path(directory) / "project", FILES)
        with LocalRegion.start(Path(directory) / "region") as region:
            if warm:
                warm_up_pool(region, WARM_UP + count)
            return [measure(region, project, number) for number in range(WARM_UP + count)][WARM_UP:]


def main(arguments: list[str] | None = None) -> int:
    """Print the stages; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", type=int, nargs="?", default=20)
    parser.add_argument("--warm", action="store_true")
    options = parser.parse_args(arguments)
    warm = options.warm
    count = min(options.count, MAX_WARM) if warm else options.count
    measured = samples(count, warm=warm)
    print(f"accepted until ...     median      p95   (seconds, {count} dispatches{', warm' if warm else ''})")
    for name, title in STAGES.items():
        values = [getattr(sample, name) for sample in measured]
        print(f"{title:<20} {median(values):8.3f} {quantiles(values, n=20)[-1]:8.3f}")
    row = Row(
        name=f"accepted to agent process{', warm' if warm else ''}, median",
        peer="not built",
        goal=WARM_GOAL if warm else GOAL,
        measured=median(sample.agent for sample in measured),
        unit="s",
    )
    return report([row])


if __name__ == "__main__":
    sys.exit(main())
