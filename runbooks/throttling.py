"""What of the jobs table was throttled as it is now, and the one rule for the capacity it should have.

Only what was throttled since the last change of mode or capacity tells of the table as it is; the rest is
shown and not judged. The rule: on demand that throttles becomes provisioned for its peak, and provisioned
that throttles stays so and gets more. It goes one way, so that no two causes can send a table to and fro.
"""

from __future__ import annotations

from dataclasses import dataclass

from runbooks.capacity import units_for
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
    table = region.tables.jobs()
    wanted = units_for(peak)
    if not provisioned(table):
        return f"provisioned for the peak: {wanted[0]} reads/s and {wanted[1]} writes/s"
    given = table.get("ProvisionedThroughput", {})
    reads, writes = (
        max(least, int(given.get(f"{kind}CapacityUnits") or 0))
        for kind, least in zip(("Read", "Write"), wanted, strict=True)
    )
    return f"stay provisioned, with {reads} reads/s and {writes} writes/s or more"
