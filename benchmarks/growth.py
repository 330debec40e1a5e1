"""Growth: what one dispatch costs when there are 10 of them, and when there are thousands, of 100 tenants.

Measured in this process against the local region's embedded AWS: calls per operation (exact) and CPU of the
use cases. Flat means that the largest size costs at most `FLAT` times the smallest.
"""

import argparse
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.counting import counting
from local.testing import LocalRegion
from outpost.agents import Agent
from service import log
from service.aws.items import SHARDS, shard
from service.domain.keys import ApiKey
from service.domain.ports import Filters
from service.domain.requests import DispatchRequest
from tests.service.harness import World, make_world, operator_keys

FLAT = 1.5
SAMPLE = 40
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
        begun = time.process_time()
        made_calls = len(world.calls_of(lambda op=operation: [op() for _ in range(SAMPLE)]))
        cpu[name] = (time.process_time() - begun) * 1000 / SAMPLE
        calls[name] = made_calls / SAMPLE
    return Point(size=size, calls=calls, cpu=cpu, memory_kb=held)


def spread(world: World) -> float:
    """The share of the fullest shard of the deadline index; 1/8 is even."""
    counts = [len(world.services.dispatches.store.due(each, 2e9, 100_000)) for each in SHARDS]
    return max(counts) / max(1, sum(counts))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000])
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
    first, last = points[0], points[-1]
    steeper = [name for name in first.calls if last.calls[name] > first.calls[name] * FLAT]
    print(
        f"fullest shard of the deadline index: {share:.0%}; calls that grow: {', '.join(steeper) or 'none'}"
    )
    return 1 if steeper or share > 0.3 else 0


if __name__ == "__main__":
    sys.exit(main())
