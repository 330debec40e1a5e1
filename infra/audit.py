"""`./inv audit`: Prowler's checks of the services that the stack uses, against the stack as deployed."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.scan_environment import scanner
from outpost.errors import OutpostError
from runbooks.target import Target

LOCK = Path(__file__).with_name("audit.lock")
MUTELIST = Path(__file__).with_name("audit_mutelist.yaml")
SERVICES = (
    "cloudwatch", "dynamodb", "ec2", "ecr", "ecs", "efs", "elbv2", "iam", "kms", "s3", "secretsmanager",
    "sns", "sqs", "vpc",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """A check that failed for a resource of the account."""

    severity: str
    check: str
    resource: str
    detail: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.check} {self.resource}: {self.detail}"


def audit(target: Target) -> tuple[int, list[Finding]]:
    """How many findings are accepted (infra/audit_mutelist.yaml), and those that are not.

    Takes minutes. Raises `OutpostError` (`scanner-missing`, `scanner-failed`).
    """
    prowler = scanner("prowler", LOCK)
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(str(prowler), "aws", "--no-banner", "--no-color", "--ignore-exit-code-3"),
            *("--region", target.region, "--status", "FAIL", "--mutelist-file", str(MUTELIST)),
            *("--output-formats", "json-ocsf", "--output-directory", folder, "--output-filename", "report"),
            *("--services", *SERVICES),
        ]
        done = subprocess.run(
            command, env=_environment(target), capture_output=True, text=True, check=False, cwd=folder
        )
        report = Path(folder, "report.ocsf.json")
        if not report.is_file():
            lines = (done.stderr + done.stdout).strip().splitlines() or ["it wrote no report"]
            raise OutpostError(
                "scanner-failed",
                f"Prowler failed: {lines[-1]}",
                remedy="Are the credentials good for reading?",
            )
        return judge(json.loads(report.read_text(encoding="utf-8")))


def judge(report: list[Mapping[str, Any]]) -> tuple[int, list[Finding]]:
    """Accepted and open findings of a report in OCSF, Prowler's format; a muted one is `Suppressed`."""
    failed = [entry for entry in report if entry["status_code"] == "FAIL"]
    open_ = [entry for entry in failed if entry["status"] != "Suppressed"]
    return len(failed) - len(open_), sorted(map(_finding, open_))


def _finding(entry: Mapping[str, Any]) -> Finding:
    return Finding(
        severity=entry["severity"],
        check=entry["metadata"]["event_code"],
        resource=entry["resources"][0]["name"],
        detail=entry["status_detail"],
    )


def _environment(target: Target) -> dict[str, str]:
    """The target's: its profile and, for the local region, its configuration files."""
    profile = {"AWS_PROFILE": target.profile} if target.profile else {}
    return {**os.environ, **target.environment, **profile}
