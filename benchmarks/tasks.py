"""`./inv bench`: measure the promises, each in a process of its own."""

from invoke import Context, Exit, task

BENCHMARKS = {
    "control-plane": "benchmarks.control_plane",
    "scale": "benchmarks.scale --total 20000 --seconds 1728",  # an hour's worth; alone: the whole day
    "growth": "benchmarks.growth",
    "diagnose": "benchmarks.diagnose",
    "dispatch": "benchmarks.dispatch_latency",
    "warm": "benchmarks.dispatch_latency --warm",
}


@task(help={"only": f"one of {', '.join(BENCHMARKS)}"})
def bench(c: Context, only: str = "") -> None:
    """Measure what is promised: calls, CPU, memory, latency. Exits with 1 when a promise is not kept."""
    if only and only not in BENCHMARKS:
        raise Exit(f"bench: there is no benchmark {only!r}; there are {', '.join(BENCHMARKS)}", code=2)
    missed = [
        name
        for name, module in BENCHMARKS.items()
        if only in ("", name) and not c.run(f"python -m {module}", warn=True, pty=False)
    ]
    if missed:
        raise Exit(f"bench: not kept: {', '.join(missed)}", code=1)
