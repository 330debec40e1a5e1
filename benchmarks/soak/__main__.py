"""Half an hour of mixed load in a local region while nearly everything fails now and then.

    python -m benchmarks.soak [--minutes 30] [--per-second 1] [--seed 1]

Four tenants post, repeat, cancel at every stage, follow logs, read and download, on two control planes and
a warm pool, while control planes and workers are killed, events are lost, doubled and late, AWS throttles,
fails, hesitates and at times refuses one service wholly, tasks do not start, and there is no capacity.
Every dispatch must end once, in the state that is right for what befell it, and nothing may be left.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.soak.chaos import Weather
from benchmarks.soak.run import Soak, show
from local.testing import LocalRegion


def main(arguments: list[str] | None = None) -> int:
    """Run, print the verdict; 1 when anything was broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument(
        "--per-second", type=float, default=1.0, help="dispatches that are posted, on average"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="outpost-soak-") as place:
        directory = Path(place)
        with LocalRegion.start(directory / "region") as region:
            soak = Soak(
                region,
                directory,
                seconds=options.minutes * 60,
                per_second=options.per_second,
                weather=Weather(),
                seed=options.seed,
            )
            checks = soak.run()
    print(
        f"seed {options.seed}, {options.minutes:g} minutes of load, {time.monotonic() - begun:.0f} s in all"
    )
    print(show(checks, soak.ledger))
    return 0 if all(check.kept for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
