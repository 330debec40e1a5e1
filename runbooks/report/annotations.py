"""Annotations for a pipeline on GitHub Actions: one workflow command for each finding."""

from __future__ import annotations

from runbooks.model import Verdict
from runbooks.redaction import redact
from runbooks.report.sarif import declared_in
from runbooks.run import Report

_LEVEL = {Verdict.FAIL: "error", Verdict.WARN: "warning", Verdict.UNKNOWN: "notice"}


def render(report: Report) -> list[str]:
    unexplained = [f"::warning::{_escaped(report.unexplained)}"] if report.unexplained else []
    return unexplained + [
        f"::{_LEVEL[finding.verdict]} file={declared_in(finding.cause)}"
        f",title={_escaped(finding.cause.key, True)}"
        f"::{_escaped(finding.judgement.summary)}"
        for finding in report.findings
    ]


def _escaped(text: str, in_property: bool = False) -> str:
    """As the toolkit of GitHub Actions escapes data, and properties."""
    text = redact(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if in_property else text
