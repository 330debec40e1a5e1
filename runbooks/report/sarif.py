"""The report as SARIF 2.1.0, for code hosts that show findings beside the file that declares their cause."""

from __future__ import annotations

import json
from typing import Any

from outpost import VERSION
from runbooks.model import Cause, Verdict
from runbooks.ranking import Finding
from runbooks.redaction import redacted
from runbooks.run import Report

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL = {Verdict.FAIL: "error", Verdict.WARN: "warning", Verdict.UNKNOWN: "note"}


def render(report: Report) -> str:
    """One rule for each cause that was checked, one result for each finding."""
    rules = [_rule(item.cause) for item in report.judged]
    indexes = {item.cause.key: number for number, item in enumerate(report.judged)}
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "outpost-diagnose", "semanticVersion": VERSION, "rules": rules}},
                "invocations": [{"executionSuccessful": not report.trouble, "exitCode": report.exit_code}],
                "results": [_result(finding, indexes[finding.cause.key]) for finding in report.findings],
                "properties": {"stack": report.target.stack, "verdict": report.verdict},
            }
        ],
    }
    return json.dumps(redacted(log), indent=2)


def _rule(cause: Cause) -> dict[str, Any]:
    return {
        "id": cause.key,
        "name": cause.code,
        "shortDescription": {"text": f"{cause.title}."},
        "help": {"text": cause.advice},
        "properties": {"severity": cause.severity.name.lower()},
    }


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    evidence = [
        f"{item.source} {item.resource}: saw {item.saw}; expected {item.expected}"
        for item in finding.judgement.evidence
    ]
    return {
        "ruleId": finding.cause.key,
        "ruleIndex": rule,
        "level": _LEVEL[finding.verdict],
        "rank": max(0.0, 100.0 - finding.rank),
        "message": {"text": "\n".join([finding.judgement.summary, *evidence])},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": declared_in(finding.cause)},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"fullyQualifiedName": finding.cause.key, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"cause/v1": finding.cause.key},
        "properties": {"verdict": finding.verdict.value, "explains": list(finding.explains)},
    }


def declared_in(cause: Cause) -> str:
    """The file that declares a cause, from the repository's root."""
    return f"runbooks/issues/{cause.issue.replace('-', '_')}.py"
