"""`./inv scan`: Checkov's AWS rules over the stacks as declared, in an environment of its own."""

import json
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.rendering import ACCOUNT, Declared
from infra.scan_environment import scanner
from infra.scan_exceptions import ACCEPTED, Accepted
from infra.scan_plan import as_plan
from outpost.errors import OutpostError
from outpost.names import REGION

LOCK = Path(__file__).with_name("scan.lock")
STACKS = ("dev", "prod")
# What production is expected to have and a stack file in a public repository has not.
_CERTIFICATE = "certificate/00000000-0000-0000-0000-000000000000"
OVERRIDES = {
    "prod": {
        "outpost:certificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:{_CERTIFICATE}",
        "outpost:domainName": "outpost.example.com",
    }
}


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """A check that failed for a resource."""

    stack: str
    check: str
    resource: str
    title: str
    guideline: str = ""

    def __str__(self) -> str:
        return f"{self.stack}: {self.check} {self.resource}: {self.title} {self.guideline}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`open` are findings that nobody accepted; `stale` are exceptions that accept nothing any more."""

    passed: int
    accepted: Sequence[tuple[Finding, Accepted]]
    open: Sequence[Finding]
    stale: Sequence[Accepted]

    @property
    def clean(self) -> bool:
        return not self.open and not self.stale


def scan(stacks: Sequence[str] = STACKS) -> Verdict:
    """Renders and scans. Raises `OutpostError` (`scanner-missing`, `scanner-failed`) when it cannot."""
    checkov = scanner("checkov", LOCK)

    def one(stack: str) -> tuple[int, list[Finding]]:
        return _run(checkov, stack, Declared.of_stack(stack, OVERRIDES.get(stack)))

    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(one, stacks))
    return judge(
        [finding for _, findings in reports for finding in findings],
        passed=sum(passed for passed, _ in reports),
        stacks=stacks,
    )


def judge(
    findings: Iterable[Finding],
    *,
    passed: int,
    stacks: Sequence[str] = STACKS,
    accepted: Sequence[Accepted] = ACCEPTED,
) -> Verdict:
    """Findings against exceptions; each finding takes the first exception that covers it."""
    open_, covered, used = [], [], set()
    for finding in sorted(findings):
        exception = next(
            (each for each in accepted if each.covers(finding.stack, finding.check, finding.resource)), None
        )
        if exception is None:
            open_.append(finding)
        else:
            covered.append((finding, exception))
            used.add(exception)
    looked_at = [each for each in accepted if set(each.stacks) <= set(stacks)]
    stale = [each for each in looked_at if each not in used]
    return Verdict(passed=passed, accepted=covered, open=open_, stale=stale)


def as_text(verdict: Verdict) -> str:
    """For people: what is open, what is stale, then the sum."""
    lines = [*map(str, verdict.open)]
    lines += [f"stale exception: {each.check} {each.resources} in {each.stacks}" for each in verdict.stale]
    return "\n".join(
        [
            *lines,
            f"{verdict.passed} checks passed, {len(verdict.accepted)} findings accepted with a reason,"
            f" {len(verdict.open)} open, {len(verdict.stale)} stale exceptions",
        ]
    )


def _run(checkov: Path, stack: str, declared: Declared) -> tuple[int, list[Finding]]:
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder, f"{stack}.json")
        plan.write_text(json.dumps(as_plan(declared)), encoding="utf-8")
        quietly = ("--output", "json", "--quiet", "--compact", "--skip-download")
        done = subprocess.run(
            [str(checkov), "--file", str(plan), "--framework", "terraform_plan", *quietly],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )
    try:
        report: dict[str, Any] = json.loads(done.stdout)
        failed, passed = report["results"]["failed_checks"], report["summary"]["passed"]
    except (ValueError, KeyError, TypeError) as error:
        lines = done.stderr.strip().splitlines() or ["it printed no report"]
        raise OutpostError(
            "scanner-failed",
            f"Checkov failed: {lines[-1]}",
            remedy="Run ./inv scan again with a clean .outpost/checkov.",
        ) from error
    return passed, [
        Finding(
            stack=stack,
            check=each["check_id"],
            resource=each["resource"],
            title=each["check_name"],
            guideline=each.get("guideline") or "",
        )
        for each in failed
    ]
