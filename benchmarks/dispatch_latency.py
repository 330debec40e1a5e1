"""How long from an accepted dispatch to the agent's process, in the local region (DESIGN section 10).

    python -m benchmarks.dispatch_latency [COUNT] [--warm]

With --warm, an idle worker of the warm pool is there for every dispatch (at most 8).

One dispatch after the other on an otherwise idle region. The instants are the system's own records: when the
API accepted it (`createdAt`), when its worker had its assignment (`startedAt`), and when the worker started
the agent's process (`agentStartedAt` in result.json). All clocks are this machine's.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from local.testing import LocalRegion
from outpost.dispatch import Status
from outpost.names import CONTROL_PLANE_FAMILY, SERVICE, Names

GOAL, WARM_GOAL = 0.5, 0.1  # seconds, median
MAX_WARM = 8  # of the pool's 10: two warm up
POOL_WITHIN = 120.0  # seconds until all idle workers are there
WARM_UP = 2  # dispatches that are not counted: they fill the control plane's caches
ENDS_WITHIN = 30.0


@dataclass(frozen=True)
class Sample:
    """Seconds since the dispatch was accepted."""

    assigned: float
    agent: float
    ended: float


def _call(region: LocalRegion, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(
        region.api_url + path,
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"X-API-Key": region.api_key, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=15) as answer:
        return dict(json.loads(answer.read()))


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def measure(region: LocalRegion, repository: Path, number: int) -> Sample:
    """One dispatch, from its acceptance to its end."""
    body = {"agent": "claude", "task": f"Task {number}.", "repository": str(repository)}
    dispatch = _call(region, "POST", "/dispatch", body)["dispatchId"]
    give_up = time.monotonic() + ENDS_WITHIN
    while True:
        job = _call(region, "GET", f"/dispatch/{dispatch}")
        if Status(job["status"]).terminal:
            break
        if time.monotonic() > give_up:
            raise TimeoutError(f"dispatch {dispatch} is still {job['status']}")
        time.sleep(0.05)
    if job["status"] != Status.COMPLETED:
        raise RuntimeError(f"dispatch {dispatch} ended {job['status']}: {job.get('reason')}")
    artifacts = _call(region, "GET", f"/dispatch/{dispatch}/artifacts")["artifacts"]
    url = next(artifact["url"] for artifact in artifacts if artifact["name"] == "result.json")
    with urllib.request.urlopen(url, timeout=15) as answer:
        result = json.loads(answer.read())
    accepted = _instant(job["createdAt"])
    return Sample(
        assigned=_instant(job["startedAt"]) - accepted,
        agent=_instant(result["agentStartedAt"]) - accepted,
        ended=_instant(job["endedAt"]) - accepted,
    )


def warm_up_pool(region: LocalRegion, count: int) -> None:
    """Give the control plane a warm pool, as an operator would, and wait until its workers are idle."""
    ecs, names = region.client("ecs"), Names(region.stack)
    definition = ecs.describe_task_definition(taskDefinition=CONTROL_PLANE_FAMILY)["taskDefinition"]
    definition["containerDefinitions"][0]["environment"] += [
        {"name": "WARM_POOL", "value": f"claude={count}"}
    ]
    fields = (
        "family",
        "taskRoleArn",
        "executionRoleArn",
        "networkMode",
        "containerDefinitions",
        "cpu",
        "memory",
    )
    fields += ("requiresCompatibilities", "volumes", "runtimePlatform")
    new = ecs.register_task_definition(**{name: definition[name] for name in fields if definition.get(name)})
    ecs.update_service(
        cluster=names.cluster, service=SERVICE, taskDefinition=new["taskDefinition"]["taskDefinitionArn"]
    )
    dynamodb = region.client("dynamodb")
    key = {":pool": {"S": "#pool#claude"}}

    def idle() -> bool:
        slots = dynamodb.query(
            TableName=names.jobs_table,
            KeyConditionExpression="tenantId = :pool",
            ExpressionAttributeValues=key,
        )
        return sum("seenAt" in slot for slot in slots["Items"]) >= count

    region.wait_for(idle, POOL_WITHIN, f"a pool of {count} idle workers")


def main(count: int, *, warm: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="outpost-bench-") as directory:
        repository = Path(directory) / "project"
        repository.mkdir()
        identity = ("-c", "user.name=Bench", "-c", "user.email=bench@localhost")
        subprocess.run(["git", "init", "--quiet", "."], cwd=repository, check=True)
        subprocess.run(
            ["git", *identity, "commit", "--quiet", "--allow-empty", "-m", "Start"],
            cwd=repository,
            check=True,
        )
        with LocalRegion.start(Path(directory) / "region") as region:
            if warm:
                warm_up_pool(region, WARM_UP + count)
            samples = [measure(region, repository, number) for number in range(WARM_UP + count)][WARM_UP:]
    print(f"accepted until ...     median      p95   (seconds, {count} dispatches{', warm' if warm else ''})")
    for title, values in (
        ("worker has its task", [sample.assigned for sample in samples]),
        ("agent's process", [sample.agent for sample in samples]),
        ("dispatch has ended", [sample.ended for sample in samples]),
    ):
        print(f"{title:<20} {median(values):8.3f} {quantiles(values, n=20)[-1]:8.3f}")
    goal = WARM_GOAL if warm else GOAL
    kept = median(sample.agent for sample in samples) < goal
    print(f"goal: agent's process at a median under {goal} s: {'kept' if kept else 'NOT KEPT'}")
    return 0 if kept else 1


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    warm = "--warm" in sys.argv
    sys.exit(main(min(numbers[0] if numbers else 20, MAX_WARM if warm else 1000), warm=warm))
