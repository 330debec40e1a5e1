"""`./inv cost`: what stacks cost in a month at rest, side by side, and what 1,000 dispatches cost."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.cost_assumptions import Assumptions
from infra.cost_dispatch import dispatch_charges
from infra.cost_lines import Charge, charges
from infra.prices import Prices
from infra.rendering import Declared

DISPATCHES = 1000
SCHEMA = "outpost.cost/1"
_LABEL, _COLUMN = 34, 12


@dataclass(frozen=True, kw_only=True)
class StackCost:
    """A stack's charges: of a month at rest, and of `DISPATCHES` dispatches by tier."""

    stack: str
    month: Sequence[Charge]
    dispatches: Mapping[str, Sequence[Charge]]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Stacks' costs by one price table and one set of assumptions."""

    prices: Prices
    assumed: Assumptions
    stacks: Sequence[StackCost]

    @classmethod
    def of(cls, declared: Iterable[Declared], assumed: Assumptions, prices: Prices) -> "Estimate":
        """Raises `OutpostError` for a resource type or a price that is not known."""
        return cls(
            prices=prices,
            assumed=assumed,
            stacks=[
                StackCost(
                    stack=each.stack,
                    month=charges(each, assumed),
                    dispatches=dispatch_charges(each, assumed, DISPATCHES),
                )
                for each in declared
            ],
        )

    def amount(self, charge: Charge) -> float:
        """In the price table's currency."""
        return charge.quantity * self.prices[charge.price].amount

    def total(self, found: Iterable[Charge]) -> float:
        return sum(map(self.amount, found))

    def by_heading(self, found: Iterable[Charge]) -> dict[str, float]:
        sums: dict[str, float] = defaultdict(float)
        for charge in found:
            sums[charge.heading] += self.amount(charge)
        return dict(sums)

    def uncertain(self) -> dict[str, str]:
        """The doubts about the prices that were used."""
        return {key: self.prices[key].uncertain for key in self._used() if self.prices[key].uncertain}

    def not_compared(self) -> list[str]:
        """The prices that were used and not compared with their source on the day of the review."""
        return [key for key in self._used() if not self.prices[key].compared]

    def _used(self) -> list[str]:
        used = {
            charge.price
            for cost in self.stacks
            for charge in (*cost.month, *(one for tier in cost.dispatches.values() for one in tier))
        }
        return sorted(used)


def as_document(estimate: Estimate) -> dict[str, Any]:
    """For `--format json`; amounts are in `currency`, unrounded."""
    prices = estimate.prices
    return {
        "schema": SCHEMA,
        "region": prices.region,
        "currency": prices.currency,
        "pricesReviewed": prices.reviewed,
        "assumptions": estimate.assumed.as_dict(),
        "uncertain": estimate.uncertain(),
        "notCompared": estimate.not_compared(),
        "stacks": {
            cost.stack: {
                "month": {"total": estimate.total(cost.month), "charges": _charges(estimate, cost.month)},
                f"dispatches{DISPATCHES}": {
                    tier: {"total": estimate.total(found), "charges": _charges(estimate, found)}
                    for tier, found in cost.dispatches.items()
                },
            }
            for cost in estimate.stacks
        },
    }


def _charges(estimate: Estimate, found: Iterable[Charge]) -> list[dict[str, Any]]:
    return [
        {
            "heading": charge.heading,
            "resource": charge.resource,
            "quantity": charge.quantity,
            "unit": estimate.prices[charge.price].unit,
            "price": estimate.prices[charge.price].amount,
            "source": estimate.prices[charge.price].source,
            "amount": estimate.amount(charge),
        }
        for charge in found
    ]


def as_text(estimate: Estimate) -> str:
    """For people: two tables, then what they rest on."""
    prices = estimate.prices
    names = [cost.stack for cost in estimate.stacks]
    lines = [
        f"List prices of {prices.region} in {prices.currency}, reviewed {prices.reviewed}; without"
        " free tiers, discounts and taxes.",
        "",
        _row("A month at rest", names),
        *_table([estimate.by_heading(cost.month) for cost in estimate.stacks]),
        "",
        _row(f"{DISPATCHES:,} dispatches of {estimate.assumed.minutes:g} minutes", names),
    ]
    for tier in estimate.stacks[0].dispatches:
        found = [cost.dispatches[tier] for cost in estimate.stacks]
        lines += ["", f"  {tier}", *_table([estimate.by_heading(one) for one in found])]
    lines += ["", "Assumed (change with --assume KEY=NUMBER):", *_indented(estimate.assumed.lines())]
    lines += ["", "Uncertain:", *_indented(f"{key}: {doubt}" for key, doubt in estimate.uncertain().items())]
    if unchecked := estimate.not_compared():
        lines.append(f"  Not compared with AWS's list on {prices.reviewed}: {', '.join(unchecked)}.")
    return "\n".join(lines)


def _table(columns: Sequence[Mapping[str, float]]) -> list[str]:
    headings = sorted(
        {heading for column in columns for heading in column},
        key=lambda heading: -max(column.get(heading, 0) for column in columns),
    )
    rows = [
        _row(f"  {heading}", [f"{column.get(heading, 0):,.2f}" for column in columns]) for heading in headings
    ]
    return [*rows, _row("  total", [f"{sum(column.values()):,.2f}" for column in columns])]


def _row(label: str, cells: Iterable[str]) -> str:
    return label.ljust(_LABEL) + "".join(cell.rjust(_COLUMN) for cell in cells)


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
