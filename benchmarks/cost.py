"""What one dispatch costs in AWS requests and dollars, counted in a local region (DESIGN section 10).

    python -m benchmarks.cost [COUNT]

The region counts the calls of all tasks. From those during some dispatches, one after the other, those of an
idle time of the same length are taken off: polling costs the same without dispatches.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.dispatch_latency import measure
from benchmarks.rows import Row, report
from benchmarks.stage import repository
from infra.cost_assumptions import Assumptions
from infra.prices import Prices
from local.testing import LocalRegion

WARM_UP = 2
# Request units of one call. A job's item has 1-2 KB: 2 write units; a read of up to 4 KB is 1 unit when it is
# consistent. A transaction's item costs twice as much; those of an acceptance and an end have 1-2 KB.
WRITES = {
    "dynamodb:UpdateItem": 2,
    "dynamodb:PutItem": 2,
    "dynamodb:DeleteItem": 1,
    "dynamodb:TransactWriteItems items": 3,
    "dynamodb:BatchWriteItem items": 1,
}
READS = {"dynamodb:GetItem": 1, "dynamodb:BatchGetItem": 2, "dynamodb:Query": 1}
OTHERS = {"s3:PutObject": "s3-put", "s3:GetObject": "s3-get", "secretsmanager:GetSecretValue": "secret-read"}


def counted(region: LocalRegion, project: Path, count: int) -> dict[str, float]:
    """Calls of one dispatch, by service and operation, on average."""
    for number in range(WARM_UP):
        measure(region, project, number)
    before, begun = Counter(region.fault("calls")), time.monotonic()
    for number in range(count):
        measure(region, project, WARM_UP + number)
    busy, took = Counter(region.fault("calls")), time.monotonic() - begun
    time.sleep(took)
    idle = Counter(region.fault("calls")) - busy
    return {name: calls / count for name, calls in sorted((busy - before - idle).items())}


def units(calls: dict[str, float]) -> dict[str, float]:
    """What is billed, by the key of the price table."""
    billed: Counter[str] = Counter()
    for name, number in calls.items():
        billed["dynamodb-write"] += number * WRITES.get(name, 0)  # type: ignore[assignment]
        billed["dynamodb-read"] += number * READS.get(name, 0)  # type: ignore[assignment]
        if name.startswith("sqs:"):
            billed["sqs-request"] += number  # type: ignore[assignment]
        if name in OTHERS:
            billed[OTHERS[name]] += number  # type: ignore[assignment]
    return dict(billed)


def main(arguments: list[str] | None = None) -> int:
    """Print the calls, the units and the dollars; 1 when one is over what `./inv cost` assumes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", type=int, nargs="?", default=10)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="outpost-bench-") as directory:
        project = repository(Path(directory) / "project", 20)
        with LocalRegion.start(Path(directory) / "region") as region:
            calls = counted(region, project, options.count)
    for name, number in calls.items():
        print(f"{number:8.1f} {name}")
    prices, billed, assumed = Prices.load(), units(calls), Assumptions()
    dollars = {key: number * prices[key].amount for key, number in billed.items()}
    requests = sum(number for name, number in calls.items() if not name.endswith(" items"))
    print(", ".join(f"{key} {number:.1f} = ${dollars[key]:.6f}" for key, number in billed.items()))
    limit = (
        assumed.write_units * prices["dynamodb-write"].amount
        + assumed.read_units * prices["dynamodb-read"].amount
        + assumed.queue_requests * prices["sqs-request"].amount
        + assumed.artifact_files * (prices["s3-put"].amount + prices["s3-get"].amount)
        + prices["secret-read"].amount
    )
    rows = [
        Row(name="AWS requests of one dispatch", peer="uncounted", goal=60, measured=requests, unit="calls"),
        Row(
            name="requests of 1,000 dispatches, as ./inv cost has it",
            peer="uncounted",
            goal=limit * 1000,
            measured=sum(dollars.values()) * 1000,
            unit="dollars",
        ),
    ]
    return report(rows)


if __name__ == "__main__":
    sys.exit(main())
