"""`./inv bench`: measure the promises, each in a process of its own."""

import os
import sys
import tempfile
from pathlib import Path

from invoke import Context, Exit, task

from benchmarks.rows import COLLECTED, collected, table

BENCHMARKS = {
    "diagnose": "benchmarks.diagnose",
    "control-plane": "benchmarks.control_plane",
    "dispatch": "benchmarks.dispatch_latency",
    "warm": "benchmarks.dispatch_latency --warm",
    "cost": "benchmarks.cost",
    "growth": "benchmarks.growth",
    "scale": "benchmarks.scale --total 20000 --seconds 1728",  # half an hour of it; alone: the whole day
}


@task(help={"only": f"one of {', '.join(BENCHMARKS)}"})
def bench(c: Context, only: str = "") -> None:
    """Measure every promise beside the peer's figure. Exits with 1 when one is not kept or not measured.

    The whole day and the soak run alone: `python -m benchmarks.scale`, `python -m benchmarks.soak`.
    """
    if only and only not in BENCHMARKS:
        raise Exit(f"bench: there is no benchmark {only!r}; there are {', '.join(BENCHMARKS)}", code=2)
    with tempfile.TemporaryDirectory(prefix="outpost-bench-") as directory:
        place = Path(directory) / "rows"
        problems = []
        for name, module in BENCHMARKS.items():
            if only in ("", name):
                before = len(collected(place))
                environment = {**os.environ, COLLECTED: str(place)}
                command = f"{sys.executable} -m {module}"
                done = c.run(command, warn=True, pty=False, in_stream=False, env=environment)
                rows = collected(place)[before:]
                missed = [row.name for row in rows if not row.kept]
                if not rows or (not done and not missed):  # it crashed, before or after it had measured
                    problems.append(f"{name} did not finish")
                problems += missed
        rows = collected(place)
    if rows:
        print(f"\n{table(rows)}")
    if problems:
        raise Exit(f"bench: not kept: {', '.join(problems)}", code=1)
