"""One promise measured: how each benchmark reports it, and how `./inv bench` collects them."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

COLLECTED = "OUTPOST_BENCH_ROWS"  # the file to which a benchmark adds its rows, when `./inv bench` runs it
LINE = "{:<46} {:>10} {:>10} {:>10}  {}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """`peer` is what the original measured, in words; `goal` and `measured` are in `unit`.

    Less is better, unless the goal is to be reached `at_least`.
    """

    name: str
    peer: str
    goal: float
    measured: float
    unit: str
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.measured >= self.goal if self.at_least else self.measured <= self.goal


def table(rows: Sequence[Row]) -> str:
    """All rows with their verdict, and how many are kept."""
    lines = [LINE.format("promise", "peer", "goal", "measured", "")]
    for row in rows:
        goal = f"{'>=' if row.at_least else '<='}{row.goal:,.4g}"
        verdict = f"{row.unit}{'' if row.kept else '  NOT KEPT'}"
        lines.append(LINE.format(row.name, row.peer, goal, f"{row.measured:,.3g}", verdict))
    lines.append(f"{sum(row.kept for row in rows)} of {len(rows)} promises kept")
    return "\n".join(lines)


def report(rows: Sequence[Row]) -> int:
    """Print the table, hand the rows to `./inv bench` if it asked; the exit code: 1 when one is not kept."""
    print(table(rows))
    if place := os.environ.get(COLLECTED):
        with Path(place).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(row)) + "\n" for row in rows)
    return 0 if rows and all(row.kept for row in rows) else 1


def collected(place: Path) -> list[Row]:
    """The rows that benchmarks have handed over so far."""
    if not place.exists():
        return []
    return [Row(**json.loads(line)) for line in place.read_text(encoding="utf-8").splitlines()]
