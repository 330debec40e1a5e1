"""What of the jobs table was throttled as it is now, and the one rule for the capacity it should have.

Only what was throttled since the last change of mode or capacity tells of the table as it is; the rest is
shown and not judged. The rule: on demand that throttles becomes provisioned for its peak, and provisioned
that throttles stays so and gets more. It goes one way, so that no two causes can send a table to and fro.
"""

from __future__ import annotations

from dataclasses import dataclass

from runbooks.capacity import units_for
from runbooks.looking import Absent, CouldNotLook
from runbooks.model import Evidence, Judgement, unknown
from runbooks.observations import Region
from runbooks.observations.tables import changed_at, provisioned

PUBLISHED = 60  # seconds until CloudWatch has what DynamoDB measured
_METRICS = "cloudwatch:GetMetricData"


@dataclass(frozen=True)
class Throttling:
    """Throttled requests since the last change: all, by a partition's limit, by the table's own maximum.

    `left_out` tells what was throttled within the look-back and is not in these numbers, and why.
    `too_early`: it throttled until that change, and there is no whole period of measurements since.
    """

    total: float
    hot: float
    capped: float
    left_out: tuple[Evidence, ...]
    too_early: bool = False

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """What counts, if anything, and then what does not."""
        counted = (Evidence(_METRICS, name, f"{self.total:g} throttled", "0"),) if self.total else ()
        return counted + self.left_out

    def undecided(self) -> Judgement:
        """What there is to say while it is too early."""
        return unknown(
            "it throttled until its mode or capacity changed, and no whole period has been measured since: "
            "look again in two minutes",
            *self.left_out,
        )


def throttling(region: Region) -> Throttling:
    """Throttled requests of the jobs table as it is now. Raises `Absent`."""
    table, name, metrics = region.tables.jobs(), region.names.jobs_table, region.metrics
    change = changed_at(table)
    since = change.timestamp() if change else 0.0
    total = metrics.throttles(since)
    left_out = []
    before = metrics.throttles() - total
    if change and before > 0:
        moment = f"{change:%Y-%m-%d %H:%M:%S %Z}".rstrip()
        # A point is the sum of a period, and cannot be told apart within it.
        saw = (
            f"{before:g} throttled before {moment} (or in the {metrics.period} s around it), "
            "when its mode or capacity changed"
        )
        left_out.append(Evidence(_METRICS, name, saw, "not judged: it tells of the table as it was"))
    capped = metrics.capped_throttles(since)
    limits = {} if provisioned(table) else table.get("OnDemandThroughput") or {}
    if capped and not any(float(limit or -1) > 0 for limit in limits.values()):
        saw = f"{capped:g} throttled by a maximum on demand that it has no more"
        left_out.append(Evidence(_METRICS, name, saw, "not judged: it tells of the table as it was"))
        total, capped = max(0.0, total - capped), 0.0
    early = bool(change) and not total and _too_early(region, since, before)
    return Throttling(total, metrics.hot_throttles(since), capped, tuple(left_out), early)


def _too_early(region: Region, changed: float, before: float) -> bool:
    """Whether it throttled right before a change (seconds since 1970) that nothing is measured after."""
    period = region.metrics.period
    within = changed // period * period  # the start of the period of the change
    measured = within + 2 * period + PUBLISHED
    if region.target.now.timestamp() >= measured:
        return False
    return before > region.metrics.throttles(until=within - period)


def fitting(region: Region, peak: tuple[float, float]) -> str:
    """The capacity that the jobs table should have, now that it throttles at a peak (reads, writes/s)."""
    reads, writes = _wanted(region, peak)
    if not provisioned(region.tables.jobs()):
        return f"provisioned for the peak: {reads} reads/s and {writes} writes/s"
    return f"stay provisioned, with {reads} reads/s and {writes} writes/s or more"


def _wanted(region: Region, peak: tuple[float, float]) -> tuple[int, int]:
    """Units of reads and writes per second; never fewer than are provisioned now."""
    least, table = units_for(peak), region.tables.jobs()
    if not provisioned(table):
        return least
    given = table.get("ProvisionedThroughput", {})
    reads, writes = (int(given.get(f"{kind}CapacityUnits") or 0) for kind in ("Read", "Write"))
    return max(least[0], reads), max(least[1], writes)


def raising(region: Region, peak: tuple[float, float]) -> list[str]:
    """The AWS CLI's commands that give a provisioned table what fits: its capacity, its scaling's maximum."""
    table, name = region.tables.jobs(), region.names.jobs_table
    if not provisioned(table):
        return []
    given = table.get("ProvisionedThroughput", {})
    try:
        scaled = region.tables.scaling(name)
    except (Absent, CouldNotLook):  # what throttles is known all the same
        scaled = {}
    wanted = dict(zip(("Read", "Write"), _wanted(region, peak), strict=True))
    units = {f"{kind}CapacityUnits": units for kind, units in wanted.items()}
    commands = []
    if any(units[kind] > int(given.get(kind) or 0) for kind in units):
        pairs = ",".join(f"{kind}={count}" for kind, count in units.items())
        commands.append(f"aws dynamodb update-table --table-name {name} --provisioned-throughput {pairs}")
    for kind, count in units.items():
        dimension = f"dynamodb:table:{kind}"
        if dimension in scaled and int(scaled[dimension].get("MaxCapacity") or 0) < count:
            commands.append(
                "aws application-autoscaling register-scalable-target --service-namespace dynamodb "
                f"--resource-id table/{name} --scalable-dimension {dimension} --max-capacity {count}"
            )
    return commands
