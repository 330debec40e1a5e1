"""The report as one HTML page without scripts: findings, a timeline, and small charts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from runbooks.looking import Absent, CouldNotLook
from runbooks.model import Verdict
from runbooks.observations import Region
from runbooks.ranking import Finding
from runbooks.redaction import redact
from runbooks.report.charts import CHARTS, chart
from runbooks.report.document import refuted
from runbooks.report.terminal import last_line
from runbooks.report.timeline import timeline
from runbooks.run import Report

# The page may load nothing: neither by what is written here nor by what a log line smuggles in.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
# Below 40 rem a row is shown as a block, each cell under its column's name: four columns do not fit a phone.
_STYLE = """
:root{color-scheme:light dark;--text:#1c1c1c;--page:#fff;--box:#f6f6f6;--soft:#595959;--line:#ddd}
:root{--fail:#b3261e;--warn:#8a5a00;--unknown:#6b3fa0}
@media(prefers-color-scheme:dark){
:root{--text:#eee;--page:#161616;--box:#222;--soft:#b0b0b0;--line:#444}
:root{--fail:#f2897f;--warn:#e0a94a;--unknown:#c4a3f0}}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
body{color:var(--text);background:var(--page);overflow-wrap:anywhere}
h1{font-size:1.4rem;line-height:1.3}h2{font-size:1.2rem;margin-top:2rem}h3{font-size:1rem;margin:0}
article{border-left:.4rem solid;padding:.5rem 1rem;margin:1rem 0;background:var(--box)}
article.FAIL{border-color:var(--fail)}article.WARN{border-color:var(--warn)}
article.UNKNOWN{border-color:var(--unknown)}
pre{white-space:pre-wrap;padding:.5rem;background:var(--page);border:1px solid var(--line)}
table{border-collapse:collapse;width:100%}code{font-size:.9em}
td,th{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;min-width:7em}
th{font-size:.85rem;font-weight:600;color:var(--soft)}tbody tr{border-top:1px solid var(--line)}
td:first-child{white-space:nowrap}
figure{display:inline-block;margin:0 1rem 1rem 0;vertical-align:top}
figcaption,.note{font-size:.85rem}.note,figcaption span{color:var(--soft)}
svg{display:block;max-width:100%;background:var(--box)}
svg polyline{fill:none;stroke:currentColor;stroke-width:1.5}
svg line{stroke:var(--line);stroke-width:1}
svg line.mark{stroke:var(--fail);stroke-width:1.5;stroke-dasharray:3 2}
svg circle{fill:currentColor}svg text{fill:var(--soft);font-size:10px;text-anchor:end}
@media(max-width:40rem){
body{margin:1rem auto}h1{font-size:1.15rem}
table,tbody,tr,td{display:block}thead{display:none}tbody tr{padding:.4rem 0}
td{min-width:0;padding:0}td:first-child{white-space:normal}
td::before{content:attr(data-head) ": ";font-size:.85rem;color:var(--soft)}
figure{display:block;margin-right:0}svg{width:100%}}
"""


def render(report: Report) -> str:
    """The whole page. Reads what the timeline and the charts need through the run's own memory."""
    title = f"Outpost {report.target.stack}: {report.verdict}"
    body = [f"<h1>{_text(title)}</h1><p>{_prose(last_line(report))}.</p>", _facts(report)]
    body += ["<h2>Findings</h2>", *(_finding(finding) for finding in report.findings)]
    if not report.findings:
        body.append("<p>None.</p>")
    if report.look is not None and not report.trouble:
        region = Region(report.look, report.target)
        body += _around(region)
    body += ["<h2>Considered and refuted</h2>", _table(_refuted(report), ("verdict", "cause", "why"))]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><style>{_STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>\n"
    )


def _text(text: object) -> str:
    return escape(redact(str(text)))


def _prose(text: str) -> str:
    """Words for people, in which backticks hold what a machine would read."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))


def _facts(report: Report) -> str:
    where = f"Stack {report.target.stack} in {report.target.region}"
    facts = f"<p>{_text(where)}, {_when(report.target.now)} UTC.</p>"
    if report.subject is None:
        return facts
    rows = [(_when(step.at) if step.at else "", step.text) for step in report.subject.life]
    return f"{facts}<p>{_prose(report.subject.story)}.</p>{_table(rows, ('time (UTC)', 'what happened'))}"


def _when(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _finding(finding: Finding) -> str:
    judgement, cause = finding.judgement, finding.cause
    evidence = [(item.source, item.resource, item.saw, item.expected) for item in judgement.evidence]
    effects = "".join(
        f"<li><code>{_text(effect.key)}</code>: {_prose(effect.title)}</li>" for effect in finding.effects
    )
    explains = f"<p>Explains:</p><ul>{effects}</ul>" if effects else ""
    commands = "".join(f"<pre>{_text(command)}</pre>" for command in judgement.commands)
    mended = (
        "<code>./inv diagnose --fix</code> shows the calls that mend it."
        if finding.plan
        else f"No plan could be made: {_prose(finding.unplanned)}."
        if finding.unplanned
        else "A person has to."
    )
    return (
        f'<article class="{finding.verdict.value}">'
        f"<h3>{finding.rank}. {finding.verdict.value} <code>{_text(cause.key)}</code></h3>"
        f"<p>{_prose(cause.title)}: {_prose(judgement.summary)}</p>"
        + (_table(evidence, ("source", "resource", "saw", "expected")) if evidence else "")
        + explains
        + (f"<p>{_prose(cause.advice)} {mended}</p>" if finding.verdict is not Verdict.UNKNOWN else "")
        + commands
        + "</article>"
    )


def _table(rows: Sequence[Sequence[object]], heads: Sequence[str]) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in heads)
    lines = "".join(
        "<tr>"
        + "".join(f'<td data-head="{name}">{_text(cell)}</td>' for name, cell in zip(heads, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _refuted(report: Report) -> list[tuple[str, str, str]]:
    return [
        (item.judgement.verdict.value, item.cause.key, item.judgement.summary) for item in refuted(report)
    ]


def read_around(report: Report) -> None:
    """Read, through the run's own memory, what the page shows beside the findings."""
    if report.look is not None and not report.trouble:
        _around(Region(report.look, report.target))


def _around(region: Region) -> list[str]:
    events, blind = timeline(region)
    parts = ["<h2>What happened</h2>"]
    parts += [f"<p>Could not be looked at: {_text(reason)}</p>" for reason in blind]
    rows = [(_when(event.time), event.kind, event.text) for event in events]
    parts.append(
        _table(rows, ("time (UTC)", "kind", "event")) if rows else "<p>Nothing within the look-back.</p>"
    )
    parts.append("<h2>Metrics</h2>")
    parts.append('<p class="note">Dashed: a task stopped, or a deployment began.</p>')
    try:
        parts += [
            chart(region.metrics.series(name), label, unit, least, events)
            for name, label, unit, least in CHARTS
        ]
    except (Absent, CouldNotLook) as error:
        parts.append(f"<p>Could not be looked at: {_text(error)}</p>")
    return parts
