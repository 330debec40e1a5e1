"""The report as a JSON document: stable, versioned, redacted."""

from __future__ import annotations

import json
from typing import Any

from runbooks.model import Evidence, Verdict
from runbooks.ranking import Finding, Judged
from runbooks.redaction import redacted
from runbooks.run import SCHEMA_VERSION, Report


def document(report: Report, *, everything: bool = False) -> dict[str, Any]:
    """The report as `docs/diagnose.schema.json` describes it; `everything` adds what was refuted."""
    found: dict[str, Any] = {
        "schemaVersion": SCHEMA_VERSION,
        "stack": report.target.stack,
        "verdict": report.verdict,
        "elapsedSeconds": round(report.elapsed, 3),
        "calls": {"total": sum(report.calls.values()), "byOperation": report.calls},
        "findings": [_finding(report, finding) for finding in report.findings],
        "checked": len(report.judged),
    }
    if report.subject:
        found["dispatch"] = {
            "dispatchId": report.subject.dispatch,
            "tenantId": report.subject.tenant,
            "status": report.subject.status,
            "summary": report.subject.story,
            "unexplained": report.subject.unexplained,
            "life": [
                {"at": step.at.isoformat() if step.at else None, "text": step.text}
                for step in report.subject.life
            ],
        }
    if everything:
        found["refuted"] = [_refuted(item) for item in refuted(report)]
    cleaned: dict[str, Any] = redacted(found)
    return cleaned


def render(report: Report, *, everything: bool = False) -> str:
    return json.dumps(document(report, everything=everything), indent=2, default=str)


def refuted(report: Report) -> list[Judged]:
    """Causes that were considered and do not hold, with the reason."""
    return [item for item in report.judged if item.judgement.verdict in (Verdict.OK, Verdict.SKIPPED)]


def _finding(report: Report, finding: Finding) -> dict[str, Any]:
    return {
        "issue": finding.cause.issue,
        "cause": finding.cause.code,
        "verdict": finding.verdict.value,
        "rank": finding.rank,
        "title": finding.cause.title,
        "summary": finding.judgement.summary,
        "evidence": [_evidence(item) for item in finding.judgement.evidence],
        "solution": finding.cause.advice,
        "commands": list(finding.judgement.commands),
        "remedy": _remedy(report, finding),
        "explains": list(finding.explains),
    }


def _evidence(item: Evidence) -> dict[str, str]:
    return {
        "source": item.source,
        "resource": item.resource,
        "saw": item.saw,
        "expected": item.expected,
    }


def _remedy(report: Report, finding: Finding) -> dict[str, Any] | None:
    if finding.plan is None:
        return None
    calls = [action.call.document() for action in finding.plan.actions]
    return {
        "automatic": True,
        "plan": finding.plan.id,
        "calls": calls,
        "alsoBroken": [item.cause.key for item in report.beside(finding)],
    }


def _refuted(item: Judged) -> dict[str, str]:
    return {
        "issue": item.cause.issue,
        "cause": item.cause.code,
        "verdict": item.judgement.verdict.value,
        "summary": item.judgement.summary,
    }
