"""Growth: what one dispatch costs when there are 10 of them, and when there are 10,000, of 1 to 100 tenants.

    python -m benchmarks.growth [--sizes 10 100 1000 10000] [--tenants 100]

Measured in this process against the local region's embedded AWS: calls per operation (exact), CPU of the use
cases, and the memory that each dispatch leaves behind here. Flat means that it costs at most `FLAT` times
as much with the most dispatches as with the fewest; CPU is the least of some rounds: machines are shared.
"""

import argparse
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.counting import counting
from benchmarks.rows import Row, report
from local.testing import LocalRegion
from outpost.agents import Agent
from service import log
from service.aws.items import SHARDS, shard
from service.domain.keys import ApiKey
from service.domain.ports import Filters
from service.domain.requests import DispatchRequest
from tests.service.harness import World, make_world, operator_keys

FLAT = 1.5
SAMPLE, ROUNDS = 20, 4
HELD_KB = 2.0  # that a dispatch may leave in the control plane's memory; it keeps the ended ones it has shown
REQUEST = DispatchRequest(agent=Agent.CLAUDE, task="t", repository="acme/site")


@dataclass(frozen=True, kw_only=True)
class Point:
    """What each operation costs at a size: calls, and CPU in ms."""

    size: int
    calls: dict[str, float]
    cpu: dict[str, float]
    memory_kb: float  # held by this process per dispatch that was posted


def key_of(tenant: int) -> ApiKey:
    return ApiKey(
        api_key_id="k",
        tenant_id=f"t{tenant}",
        key_hash="",
        key_prefix="",
        scopes=frozenset(),
        max_active=1_000_000,
        max_per_day=1_000_000,
        requests_per_minute=1_000_000,
    )


def measure(world: World, size: int, tenants: int, made: int) -> Point:
    """Post until there are `size` dispatches, then look at what one more costs."""
    dispatches = world.services.dispatches
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    ids = [dispatches.accept(REQUEST, key_of(n % tenants))[0] for n in range(made, size)]
    held = (tracemalloc.get_traced_memory()[0] - before) / max(1, len(ids)) / 1024
    tracemalloc.stop()
    last = ids[-1]
    operations: dict[str, Callable[[], object]] = {
        "post": lambda: dispatches.accept(REQUEST, key_of(0)),
        "get": lambda: dispatches.get(last.tenant_id, last.dispatch_id),
        "list": lambda: dispatches.store.page(last.tenant_id, Filters(), None, 10),
        "due": lambda: dispatches.store.due(shard(last.dispatch_id), 0, 100),
    }
    calls, cpu = {}, {}
    for name, operation in operations.items():
        operation()
        made_calls, rounds = 0, []
        for _ in range(ROUNDS):
            begun = time.process_time()
            made_calls += len(world.calls_of(partial(_repeat, operation)))
            rounds.append((time.process_time() - begun) * 1000 / SAMPLE)
        cpu[name], calls[name] = min(rounds), made_calls / SAMPLE / ROUNDS
    return Point(size=size, calls=calls, cpu=cpu, memory_kb=held)


def _repeat(operation: Callable[[], object]) -> None:
    for _ in range(SAMPLE):
        operation()


def spread(world: World) -> float:
    """The share of the fullest shard of the deadline index; 1/8 is even."""
    counts = [len(world.services.dispatches.store.due(each, 2e9, 100_000)) for each in SHARDS]
    return max(counts) / max(1, sum(counts))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--tenants", type=int, default=100)
    options = parser.parse_args(arguments)
    log.silence_metrics()
    points: list[Point] = []
    with (
        tempfile.TemporaryDirectory() as state,
        LocalRegion.start(Path(state), deploy=False) as region,
        counting(region.aws_url) as (endpoint, counter),
    ):
        world = make_world(endpoint, counter, credentials=operator_keys(region.paths))
        for size in options.sizes:
            made = points[-1].size if points else 0
            points.append(measure(world, size, min(options.tenants, size), made))
        share = spread(world)
    for point in points:
        shown = ", ".join(
            f"{name} {point.calls[name]:.2f} calls {point.cpu[name]:.1f} ms" for name in point.calls
        )
        print(f"{point.size:>6} dispatches: {shown}; {point.memory_kb:.1f} KB held a post")
    return report(rows_of(points, share))


def rows_of(points: list[Point], share: float) -> list[Row]:
    """How much dearer each thing is at the largest size than at the smallest."""
    first, last = points[0], points[-1]
    title = f"from {first.size:,} to {last.size:,}"
    rows = [
        Row(
            name=f"calls, {name}, {title}",
            peer="full scans",
            goal=FLAT,
            measured=last.calls[name] / first.calls[name],
            unit="times as many",
        )
        for name in first.calls
    ]
    rows += [
        Row(
            name=f"CPU, {name}, {title}",
            peer="uncounted",
            goal=FLAT,
            measured=last.cpu[name] / first.cpu[name],
            unit="times as much",
        )
        for name in first.cpu
    ]
    rows += [
        Row(
            name="memory that a dispatch leaves",
            peer="uncounted",
            goal=HELD_KB,
            measured=last.memory_kb,
            unit="KB",
        ),
        Row(
            name="fullest of 8 shards of the deadline index",
            peer="uncounted",
            goal=0.3,
            measured=share,
            unit="of all",
        ),
    ]
    return rows


if __name__ == "__main__":
    sys.exit(main())
