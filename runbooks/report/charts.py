"""Small charts of a metric, as SVG without scripts: a line, its scale, and marks where something began."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from runbooks.observations.metrics import Series
from runbooks.report.timeline import Event

# Name of the series, what it is called, its unit, and how far its scale reaches at least.
CHARTS = (
    ("memory", "Control plane memory", "%", 100.0),
    ("cpu", "Control plane CPU", "%", 100.0),
    ("latency_query", "DynamoDB Query latency", "ms", 0.0),
    ("throttled", "Throttled requests", "", 0.0),
)
WIDTH, HEIGHT = 260, 60  # pixels of the line
LEFT, ROUND = 34, 12  # pixels for the scale's numbers, and above and below the line
MARKED = ("stop", "deployment")  # kinds of events that have a mark
FEW = 12  # points that are drawn one by one


def chart(series: Series, label: str, unit: str, least: float, events: Sequence[Event]) -> str:
    """A figure with its highest value and, on the left, its scale."""
    if not series.values:
        return f"<figure><figcaption>{escape(label)}: no points</figcaption></figure>"
    first, last = series.times[0], max(series.times[-1], series.times[0] + 1)
    top = max(series.highest, least) or 1.0

    def place(time: float, value: float) -> tuple[str, str]:
        across = LEFT + (time - first) / (last - first) * (WIDTH - LEFT)
        return f"{across:.1f}", f"{ROUND + HEIGHT * (1 - value / top):.1f}"

    points = [place(time, max(0.0, value)) for time, value in zip(series.times, series.values, strict=True)]
    line = " ".join(f"{x},{y}" for x, y in points)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="2"/>' for x, y in points) if len(points) <= FEW else ""
    marks = ""
    for event in events:
        moment = event.time.timestamp()
        if event.kind in MARKED and first <= moment <= last:
            x, _ = place(moment, 0.0)
            marks += f'<line class="mark" x1="{x}" x2="{x}" y1="{ROUND}" y2="{ROUND + HEIGHT}"/>'
    start, end = (f"{datetime.fromtimestamp(moment, UTC):%H:%M}" for moment in (first, last))
    tall = HEIGHT + 2 * ROUND
    caption = f"{label}: at most {amount(series.highest, unit)}"
    return (
        f"<figure><figcaption>{escape(caption)} <span>{start}–{end}</span></figcaption>"
        f'<svg width="{WIDTH}" height="{tall}" viewBox="0 0 {WIDTH} {tall}" role="img" '
        f'aria-label="{escape(caption)}">'
        f'<text x="{LEFT - 4}" y="{ROUND + 4}">{amount(top, "")}</text>'
        f'<text x="{LEFT - 4}" y="{ROUND + HEIGHT}">0</text>'
        f'<line x1="{LEFT}" x2="{WIDTH}" y1="{ROUND}" y2="{ROUND}"/>'
        f'<line x1="{LEFT}" x2="{WIDTH}" y1="{ROUND + HEIGHT}" y2="{ROUND + HEIGHT}"/>'
        f'{marks}<polyline points="{line}"/>{dots}</svg></figure>'
    )


def amount(value: float, unit: str) -> str:
    """A number with three digits that count, and its unit."""
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{digits} {unit}".strip()
