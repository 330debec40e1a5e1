"""A day of a million dispatches on a simulated clock.

    python -m benchmarks.scale [--total 1000000] [--seconds 86400] [--tenants 100] [--vcpus 4500]

The control plane's own code, with AWS's real limits: nothing may be lost, nobody may wait without bound, and
the output tells which limit to raise first.
"""

import argparse
import sys
import time

from benchmarks.rows import report
from benchmarks.scale.report import broken, rows_of, show
from benchmarks.scale.simulation import DAY, Simulation
from service import log


def main(arguments: list[str] | None = None) -> int:
    """Print the day; 1 when a promise was not kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--total", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=DAY)
    parser.add_argument("--tenants", type=int, default=100)
    parser.add_argument("--vcpus", type=float, default=4500.0)
    options = parser.parse_args(arguments)
    log.configure("critical")  # dispatches that fail on purpose are not news
    log.silence_metrics()
    simulation = Simulation(
        total=options.total, seconds=options.seconds, tenants=options.tenants, vcpus=options.vcpus
    )
    begun = time.perf_counter()
    simulation.run()
    print(show(simulation, time.perf_counter() - begun))
    for what in broken(simulation):
        print(f"NOT KEPT: {what}")
    return max(report(rows_of(simulation)), int(bool(broken(simulation))))


if __name__ == "__main__":
    sys.exit(main())
