"""What a simulated day tells: waits, losses, how near to each limit it came, and what to raise first."""

from benchmarks.rows import Row
from benchmarks.scale.limits import Gauge
from benchmarks.scale.simulation import BURSTING, Simulation, percentile

WAIT_GOAL = 60.0  # seconds at the 99th percentile that tenants without bursts wait for a launch
SHOWN = "{:<44} {:>12} {:>12} {:>14}"
MARKS = (("median", 0.5), ("p99", 0.99), ("longest", 1.0))


def limits_of(simulation: Simulation) -> list[tuple[str, str, str, str]]:
    """Each limit of AWS: what it allows, the most that was used, how long it was full or what it refused."""
    tasks, store, outcome = simulation.tasks, simulation.store, simulation.outcome

    def partition(name: str, gauge: Gauge) -> tuple[str, str, str, str]:
        return (
            f"{name} ({gauge.peak_of})",
            f"{gauge.limit:,.0f}/s",
            f"{gauge.peak:,.0f}/s",
            f"{gauge.seconds_full} s",
        )

    refused = tasks.refusals
    return [
        ("RunTask (20/s, burst 100)", "20/s", "20/s", f"{outcome.seconds_rate:,} s"),
        ("RunTask throttled by AWS", "", "", f"{refused['RunTask throttled']:,} times"),
        ("RunTask + StopTask (40/s, burst 100)", "", "", f"{refused['StopTask throttled']:,} times"),
        (
            "DescribeTasks + ListTasks (20/s, burst 100)",
            "",
            f"{tasks.look_rate.taken:,} calls",
            f"{refused['DescribeTasks throttled'] + refused['ListTasks throttled']:,} times",
        ),
        (
            "Fargate vCPU quota L-3032A538",
            f"{tasks.vcpus:,.0f}",
            f"{tasks.peak:,.0f}",
            f"{len(tasks.seconds_full):,} s",
        ),
        partition("DynamoDB, writes of a partition", store.writing),
        ("posts that such a partition refused", "", "", f"{store.refused:,} times"),
        partition("DynamoDB, reads of a partition", store.reading),
        partition("one tenant's count (transactions)", store.counting),
    ]


def raise_first(simulation: Simulation) -> str:
    """The limit that made dispatches wait longest."""
    full = {
        "the Fargate vCPU quota L-3032A538": len(simulation.tasks.seconds_full),
        "RunTask's rate (20/s; then LAUNCHES_PER_SECOND)": simulation.outcome.seconds_rate,
        "the table's partitions (spread one tenant's keys)": simulation.store.writing.seconds_full,
    }
    name = max(full, key=full.__getitem__)
    return f"{name}: it was used up for {full[name]:,} s" if full[name] else "nothing: no limit was reached"


def show(simulation: Simulation, took: float) -> str:
    outcome = simulation.outcome
    bursty, others = outcome.waits.get(BURSTING, []), simulation.others
    ended = ", ".join(f"{count:,} {status}" for status, count in outcome.ended.most_common())
    lines = [
        f"accepted {outcome.accepted:,} ({outcome.refused:,} posts refused and repeated); {ended}",
        f"lost {outcome.lost}, still active {outcome.active_left}, "
        f"never launched {outcome.expired} (simulated in {took:.0f} s)",
    ]
    for who, waits in (("tenant with bursts", bursty), ("all others", others)):
        marks = ", ".join(f"{name} {percentile(waits, share):,.0f} s" for name, share in MARKS)
        lines.append(f"waited for a launch, {who}: {marks}")
    lines += [
        f"longest queue {outcome.peak_backlog:,}; something waited in {outcome.seconds_waited:,} s",
        f"AWS writes, launches and messages per dispatch: {outcome.calls / max(1, outcome.accepted):.1f}",
        SHOWN.format("limit", "allowed", "most", "full, refused"),
    ]
    lines += [SHOWN.format(*row) for row in limits_of(simulation)]
    rate = simulation.total / simulation.seconds
    lines.append(f"raise first: {raise_first(simulation)}; the mean load is {rate:.1f} dispatches a second")
    return "\n".join(lines)


def broken(simulation: Simulation) -> list[str]:
    """Which promises the day did not keep."""
    outcome = simulation.outcome
    longest = percentile(simulation.others, 0.99)
    found = {
        f"{outcome.lost} dispatches were lost": outcome.lost != 0,
        f"{outcome.active_left} dispatches never ended": outcome.active_left != 0,
        f"{outcome.expired} dispatches ended without a launch": outcome.expired != 0,
        f"the quiet tenants waited {longest:.0f} s, over {WAIT_GOAL:.0f}": longest > WAIT_GOAL,
    }
    return [what for what, is_so in found.items() if is_so]


def rows_of(simulation: Simulation) -> list[Row]:
    """The promises of DESIGN section 10, of the day that was simulated."""
    outcome, day = simulation.outcome, f"{simulation.total:,} dispatches"
    return [
        Row(
            name=f"lost or never ended, of {day}",
            peer="uncounted",
            goal=0,
            measured=outcome.lost + outcome.active_left + outcome.expired,
            unit="dispatches",
        ),
        Row(
            name="wait for a launch, tenants without bursts, p99",
            peer="uncounted",
            goal=WAIT_GOAL,
            measured=percentile(simulation.others, 0.99),
            unit="s",
        ),
    ]
