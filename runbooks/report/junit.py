"""The report as JUnit XML: each issue a suite, each cause a test, for CI systems that show such files."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, tostring

from runbooks.model import Verdict
from runbooks.ranking import Judged
from runbooks.redaction import redact
from runbooks.run import Report

_ELEMENT = {Verdict.FAIL: "failure", Verdict.UNKNOWN: "error", Verdict.SKIPPED: "skipped"}


def render(report: Report) -> str:
    """FAIL is a failure, UNKNOWN an error, SKIPPED skipped; WARN passes, with its text as output."""
    root = Element("testsuites", {"name": f"outpost {report.target.stack}", "time": f"{report.elapsed:.3f}"})
    for issue, items in groupby(report.judged, key=lambda item: item.cause.issue):
        _suite(root, issue, items)
    if report.subject:
        suite = SubElement(root, "testsuite", {"name": "dispatch", "tests": "1", "failures": "0"})
        suite.set("errors", str(int(bool(report.unexplained))))
        case = SubElement(suite, "testcase", {"classname": "dispatch", "name": report.subject.dispatch})
        if report.unexplained:
            SubElement(case, "error", {"message": _printable(report.unexplained)})
        SubElement(case, "system-out").text = _printable(report.subject.story)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode")


def _suite(root: Element, issue: str, items: Iterable[Judged]) -> None:
    cases = list(items)
    suite = SubElement(root, "testsuite", {"name": issue, "tests": str(len(cases))})
    for verdict, counter in (
        (Verdict.FAIL, "failures"),
        (Verdict.UNKNOWN, "errors"),
        (Verdict.SKIPPED, "skipped"),
    ):
        suite.set(counter, str(sum(item.judgement.verdict is verdict for item in cases)))
    for item in cases:
        case = SubElement(suite, "testcase", {"classname": issue, "name": item.cause.code})
        judgement = item.judgement
        if judgement.verdict in _ELEMENT:
            summary = _printable(judgement.summary)
            told = SubElement(case, _ELEMENT[judgement.verdict], {"message": summary})
            told.text = _text(item)
        elif judgement.verdict is Verdict.WARN:
            SubElement(case, "system-out").text = _text(item)


def _text(item: Judged) -> str:
    lines = [f"{item.judgement.verdict.value}: {item.judgement.summary}"]
    lines += [
        f"{evidence.source} {evidence.resource}: saw {evidence.saw}; expected {evidence.expected}"
        for evidence in item.judgement.evidence
    ]
    lines.append(f"Solution: {item.cause.advice}")
    return _printable("\n".join(lines))


def _printable(text: str) -> str:
    """Without secrets, and without the control characters that XML cannot hold."""
    return "".join(character for character in redact(text) if character in "\n\t" or character >= " ")
