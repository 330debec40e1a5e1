"""The report as one HTML page without scripts: findings, a timeline, and small charts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from runbooks.looking import Absent, CouldNotLook
from runbooks.model import Verdict
from runbooks.observations import Region
from runbooks.observations.metrics import Series
from runbooks.ranking import Finding
from runbooks.redaction import redact
from runbooks.report.document import refuted
from runbooks.report.terminal import last_line
from runbooks.report.timeline import Event, timeline
from runbooks.run import Report

CHARTS = (
    ("memory", "Control plane memory, %"),
    ("cpu", "Control plane CPU, %"),
    ("latency_query", "DynamoDB Query latency, ms"),
    ("throttled", "Throttled requests"),
)
WIDTH, HEIGHT = 260, 60  # pixels of a chart

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
body{color:#1c1c1c;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem}h3{font-size:1rem;margin:0}
article{border-left:.4rem solid;padding:.5rem 1rem;margin:1rem 0;background:#f6f6f6}
.FAIL{border-color:#b3261e}.WARN{border-color:#8a5a00}.UNKNOWN{border-color:#6b3fa0}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0}
td{overflow-wrap:anywhere}code{font-size:.9em}figure{display:inline-block;margin:0 1rem 1rem 0}
figcaption{font-size:.85rem}svg{display:block;background:#f6f6f6}
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}article,svg{background:#222}}
"""


def render(report: Report) -> str:
    """The whole page. Reads what the timeline and the charts need through the run's own memory."""
    body = [f"<h1>{_text(last_line(report))}</h1>", _facts(report)]
    body += ["<h2>Findings</h2>", *(_finding(finding) for finding in report.findings)]
    if not report.findings:
        body.append("<p>None.</p>")
    if report.look is not None and not report.trouble:
        region = Region(report.look, report.target)
        body += _around(region)
    body += ["<h2>Considered and refuted</h2>", _table(_refuted(report), ("verdict", "cause", "why"))]
    title = f"Outpost {report.target.stack}: {report.verdict}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>\n"
    )


def _text(text: object) -> str:
    return escape(redact(str(text)))


def _facts(report: Report) -> str:
    calls = sum(report.calls.values())
    when = report.target.now.isoformat(timespec="seconds")
    where = f"Stack {report.target.stack} in {report.target.region}"
    return f"<p>{_text(where)}, {when}, {calls} calls.</p>"


def _finding(finding: Finding) -> str:
    judgement, cause = finding.judgement, finding.cause
    evidence = [(item.source, item.resource, item.saw, item.expected) for item in judgement.evidence]
    explains = f"<p>Explains {_text(', '.join(finding.explains))}.</p>" if finding.explains else ""
    mended = (
        "<code>./inv diagnose --fix</code> shows the calls that mend it."
        if finding.plan
        else "A person has to."
    )
    return (
        f'<article class="{finding.verdict.value}">'
        f"<h3>{finding.rank}. {finding.verdict.value} <code>{_text(cause.key)}</code></h3>"
        f"<p>{_text(cause.title)}. {_text(judgement.summary)}</p>"
        + (_table(evidence, ("source", "resource", "saw", "expected")) if evidence else "")
        + explains
        + (f"<p>{_text(cause.advice)} {mended}</p>" if finding.verdict is not Verdict.UNKNOWN else "")
        + "</article>"
    )


def _table(rows: Sequence[Sequence[object]], heads: Sequence[str]) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in heads)
    lines = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _refuted(report: Report) -> list[tuple[str, str, str]]:
    return [
        (item.judgement.verdict.value, item.cause.key, item.judgement.summary) for item in refuted(report)
    ]


def _around(region: Region) -> list[str]:
    events, blind = timeline(region)
    parts = ["<h2>What happened</h2>"]
    parts += [f"<p>Could not be looked at: {_text(reason)}</p>" for reason in blind]
    rows = [(event.time.isoformat(timespec="seconds"), event.kind, event.text) for event in events]
    parts.append(_table(rows, ("time", "what", "")) if rows else "<p>Nothing within the look-back.</p>")
    parts.append("<h2>Metrics</h2>")
    try:
        parts += [_chart(region.metrics.series(name), label, events) for name, label in CHARTS]
    except (Absent, CouldNotLook) as error:
        parts.append(f"<p>Could not be looked at: {_text(error)}</p>")
    return parts


def _chart(series: Series, label: str, events: Sequence[Event]) -> str:
    """A line of the series, with a mark where a task stopped or a deployment began."""
    if not series.values:
        return f"<figure><figcaption>{_text(label)}: no points</figcaption></figure>"
    first, last = series.times[0], max(series.times[-1], series.times[0] + 1)
    top = max(series.highest, 1e-9)

    def across(moment: float) -> float:
        return (moment - first) / (last - first) * WIDTH

    points = " ".join(
        f"{across(moment):.1f},{HEIGHT - value / top * (HEIGHT - 4):.1f}"
        for moment, value in zip(series.times, series.values, strict=True)
    )
    marks = "".join(
        f'<line x1="{across(event.time.timestamp()):.1f}" x2="{across(event.time.timestamp()):.1f}" '
        f'y1="0" y2="{HEIGHT}" stroke="#b3261e" stroke-dasharray="2 2"/>'
        for event in events
        if event.kind in ("stop", "deployment") and first <= event.time.timestamp() <= last
    )
    return (
        f'<figure><figcaption>{_text(label)}: at most {series.highest:g}</figcaption><svg width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" aria-label="{_text(label)}">{marks}'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg></figure>'
    )
