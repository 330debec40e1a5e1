"""The report for people: 80 columns, readable without colour.

Written by hand rather than with rich, whose import takes a tenth of a diagnosis.
"""

from __future__ import annotations

import shlex
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC

from runbooks.model import Verdict
from runbooks.ranking import Finding
from runbooks.redaction import MASK, redact, redacted
from runbooks.remedies import Action, Call, Plan
from runbooks.report import aws_cli
from runbooks.report.changes import changes
from runbooks.report.document import refuted
from runbooks.report.policy_changes import holds_policy, policy_changes
from runbooks.run import Report
from runbooks.subject import Subject

WIDTH = 80
# What to do about a look that failed, by the words in which it says how.
_HINTS = (
    (
        "the permission",
        "./inv runbooks.preflight names all that you lack, ./inv runbooks.policy prints what to ask for.",
    ),
    ("throttled", "AWS has to be asked less: look again in a minute."),
    ("timed out", "Look again; if it stays so, see https://health.aws.amazon.com."),
)
_COLOURS = {Verdict.FAIL: "31;1", Verdict.WARN: "33;1", Verdict.UNKNOWN: "35;1", Verdict.OK: "32"}


@dataclass(frozen=True)
class Style:
    """Whether to colour. `NO_COLOR` and a stdout that is no terminal turn it off."""

    colour: bool = False

    def of(self, verdict: Verdict, text: str) -> str:
        code = _COLOURS.get(verdict, "2")
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text


def render(report: Report, style: Style, *, everything: bool = False, plans: bool = False) -> str:
    """The findings, root first; `plans` spells out every call, `everything` adds what was refuted."""
    if report.trouble:
        return ""  # the last line says it; that every cause is unknown then needs no list
    blocks = [_life(report.subject)] if report.subject else []
    blocks += [
        _finding(report, finding, style, plans) for finding in report.findings if finding.judgement.lit
    ]
    blocks += _blind(report, style)
    if everything:
        blocks.append(_refuted(report, style))
    return "\n\n".join(block for block in blocks if block)


def _life(subject: Subject) -> str:
    """What happened to the dispatch that the run is about, in UTC."""
    lines = [_wrapped(subject.story + ".", "")]
    for step in subject.life:
        at = f"{step.at.astimezone(UTC):%H:%M:%S}" if step.at else " " * 8
        lines.append(_wrapped(step.text, f"   {at}  "))
    return "\n".join(lines)


def last_line(report: Report) -> str:
    """The verdict in one line."""
    calls = sum(report.calls.values())
    spent = f"{len(report.judged)} causes checked with {calls} calls in {report.elapsed:.1f} s"
    roots = [finding for finding in report.findings if finding.judgement.lit]
    if report.verdict == "healthy":
        return f"healthy: {spent}"
    if report.trouble:
        return f"unknown: nothing could be looked at: {redact(report.trouble)}"
    if report.unexplained and report.verdict == "unknown":
        return f"unknown: {redact(report.unexplained)}; {spent}"
    if report.verdict == "unknown" and not roots:
        return f"unknown: {len(report.findings)} of {spent.replace('checked', 'could not be told;', 1)}"
    first = f"{roots[0].cause.key}: {redact(roots[0].judgement.summary).rstrip('.')}"
    more = f" (and {len(roots) - 1} more)" if len(roots) > 1 else ""
    return f"{report.verdict}: {first}{more}; {spent}"


def _wrapped(text: str, first: str, rest: str = "") -> str:
    return textwrap.fill(
        redact(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest or " " * len(first),
        break_on_hyphens=False,
        break_long_words=False,
    )


def _finding(report: Report, finding: Finding, style: Style, plans: bool) -> str:
    cause = finding.cause
    head = f"{finding.rank}. {finding.verdict.value} {cause.key}"
    lines = [style.of(finding.verdict, head), _wrapped(cause.title + ".", "   ")]
    lines.append(_wrapped(finding.judgement.summary, "   "))
    for item in finding.judgement.evidence:
        lines.append(_wrapped(f"{item.source} {item.resource}", "   - "))
        lines.append(_wrapped(item.saw, "       saw      ", " " * 16))
        lines.append(_wrapped(item.expected, "       expected ", " " * 16))
    for number, effect in enumerate(finding.effects):
        head = "   " + ("explains" if number == 0 else "").ljust(10)
        lines.append(_wrapped(f"{effect.key}: {effect.title}", head, " " * 15))
    lines.append(_wrapped(cause.advice, "   solution  "))
    for command in finding.judgement.commands:
        lines += _command(command)
    lines += _remedy(report, finding, plans)
    return "\n".join(lines)


def _command(command: str) -> list[str]:
    """A command on as many lines as it needs, to be copied whole: an option keeps its value."""
    return _laid_out(_together(shlex.split(redact(command), posix=False)), "   run      ", " " * 14)


def _laid_out(parts: Iterable[str], first: str, rest: str) -> list[str]:
    """Parts of a command on as many lines as they need; none is broken, so that it can be copied."""
    lines, line = [], first
    for part in parts:
        if len(line) + len(part) + 3 > WIDTH and line != first:
            lines.append(f"{line} \\")
            line = rest
        line += f" {part}"
    return [*lines, line]


def _together(words: list[str]) -> Iterator[str]:
    """Words in their order, an option with the value that follows it."""
    for number, word in enumerate(words):
        if number and words[number - 1].startswith("-") and not word.startswith("-"):
            continue  # it stands with its option
        value = words[number + 1] if number + 1 < len(words) else "-"
        alone = not word.startswith("-") or value.startswith("-")
        yield word if alone else f"{word} {value}"


def _remedy(report: Report, finding: Finding, plans: bool) -> list[str]:
    if finding.plan is None and finding.unplanned:
        return [_wrapped(f"no plan could be made: {finding.unplanned}", "   remedy    ")]
    if finding.plan is None:
        return ["   remedy    a person has to do it"]
    if not plans:
        operations = ", ".join(dict.fromkeys(action.call.operation for action in finding.plan.actions))
        return [_wrapped(f"automatic ({operations}): ./inv diagnose --fix shows it", "   remedy    ")]
    lines = [f"   plan {finding.plan.id} (nothing is changed without --yes)"]
    if finding.plan.bill:
        lines.append(_wrapped(f"! {finding.plan.bill}", "   ", "     "))
    for action in finding.plan.actions:
        lines.append(f"   > {action.call.operation}")
        lines += _changed(action)
        lines += _by_hand(action, finding.plan)
    where = ", ".join(sorted(base.rpartition("/")[2] for base in finding.plan.bases))
    for item in report.beside(finding):
        how = f"plan {item.plan.id}" if item.plan else "a person has to mend it"
        lines.append(_wrapped(f"! {where} also has, and keeps: {item.cause.key} ({how})", "   ", "     "))
    return lines


def _changed(action: Action) -> list[str]:
    """What a call changes of a document, where that is known; the call's own line says all the rest."""
    if action.before is None:
        return []
    if holds_policy({**action.before, **action.call.parameters}):
        lines = policy_changes(action.before, action.call.parameters)
        head = "     the policy as it is, but for what goes (-) and comes (+)"
        return [head, *(_wrapped(line, "       ", " " * 9) for line in lines)]
    before, after = redacted(dict(action.before)), redacted(dict(action.call.parameters))
    lines = [f"     {after.get('family', '')} as it is, but for"]
    return lines + [_wrapped(line, "       ", " " * 9) for line in changes(before, after)]


def _by_hand(action: Action, plan: Plan) -> list[str]:
    """The AWS CLI's line for a call of a plan."""
    keep = bool(action.base) and any(aws_cli.names_registered(other.call) for other in plan.actions)
    call = Call(action.call.operation, redacted(dict(action.call.parameters)))
    lines = _laid_out(aws_cli.parts(call, keep=keep), "    ", " " * 8)
    if any(MASK in line for line in lines):
        lines.append(_wrapped(f"! {MASK} stands for a value: put it back before you run this", "     "))
    return lines


def _blind(report: Report, style: Style) -> list[str]:
    """Causes that could not be told, together by what kept the run from looking."""
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    for finding in report.findings:
        if finding.verdict is Verdict.UNKNOWN:
            reasons[finding.judgement.summary].append(finding.cause.key)
    blocks = []
    for reason, keys in reasons.items():
        head = style.of(Verdict.UNKNOWN, f"?. UNKNOWN {len(keys)} cause(s)")
        lines = [head, _wrapped(reason, "   "), _wrapped(", ".join(keys), "   ")]
        blocks.append("\n".join(lines))
    hints = [hint for sign, hint in _HINTS if any(sign in reason for reason in reasons)]
    return blocks + [_wrapped(hint, "   ") for hint in hints]


def _refuted(report: Report, style: Style) -> str:
    lines = ["Considered and refuted:"]
    for item in refuted(report):
        verdict = item.judgement.verdict
        lines.append(style.of(verdict, f"{verdict.value:<7} {item.cause.key}"))
        lines.append(_wrapped(item.judgement.summary, "        "))
    return "\n".join(lines)
