"""Parity: every cause of the guide has its runbook, its alarm or signal, its fault test and its entry."""

import ast
from pathlib import Path

import pytest

from runbooks import guide
from runbooks.alarms import ClientSignal, declared
from runbooks.catalogue import RUNBOOKS, causes
from tests.runbooks.faults import table
from tests.runbooks.faults.catalogue import FAULTS

ROOT = Path(__file__).parents[2]

# The guide's 16 issues and 59 causes by the codes that reports use; a code never changes its meaning.
GUIDE = {
    "health-check-failing": "missing-environment memory-exhausted port-mismatch dynamodb-unreachable",
    "control-plane-not-starting": "application-error out-of-memory segmentation-fault terminated",
    "slow-responses": "dynamodb-throttled cold-connections missing-vpc-endpoints",
    "dispatch-stuck-pending": "vcpu-quota-exhausted task-definition-missing subnet-exhausted egress-blocked",
    "agent-fails-immediately": "api-key-missing model-not-found repository-not-found permission-denied",
    "agent-timeout": "task-too-complex model-rate-limited network-unreachable no-progress-loop",
    "agent-no-changes": "task-misunderstood wrong-branch file-not-found read-only-mode",
    "unauthorized": "key-not-found key-revoked key-expired wrong-header",
    "forbidden": "missing-dispatch-scope missing-status-scope missing-promote-scope missing-admin-scope",
    "dynamodb-throttling": "autoscaling-off capacity-mode retries-without-backoff hot-partition",
    "s3-access-denied": "missing-permission bucket-policy-denies wrong-bucket-name",
    "efs-mount-failure": "no-mount-target nfs-blocked wrong-subnet",
    "high-cold-start": "pool-not-warmed minimum-capacity-zero no-provisioned-capacity",
    "memory-pressure": "control-plane-undersized flagship-undersized balanced-undersized fast-undersized",
    "mcp-not-connecting": "wrong-endpoint old-ssm-config server-not-rebuilt client-not-restarted",
    "client-failing": "connection-timeout authentication-error rate-limited",
}


def test_every_cause_of_the_guide_is_declared_once_and_in_its_order() -> None:
    wanted = [f"{issue}/{code}" for issue, codes in GUIDE.items() for code in codes.split()]
    keys = [cause.key for cause in causes()]
    # Issues of one's own come on top, and never in between.
    assert [key for key in keys if key.partition("/")[0] in GUIDE] == wanted
    assert len(wanted) == 59
    assert len(keys) == len(set(keys))


def test_every_cause_has_a_fault_and_every_fault_a_cause() -> None:
    assert set(FAULTS) == {cause.key for cause in causes()}


def test_what_a_fault_says_of_mending_is_what_the_cause_can_do() -> None:
    with_remedy = {cause.key for cause in causes() if cause.remedy}
    assert {key for key, fault in FAULTS.items() if fault.mended or fault.planned} <= with_remedy


@pytest.mark.parametrize("cause", causes(), ids=lambda cause: cause.key)
def test_a_cause_says_what_a_reader_needs(cause: object) -> None:
    from runbooks.model import Cause

    assert isinstance(cause, Cause)
    assert cause.guide
    assert cause.solution.endswith(".")
    assert cause.title
    known = {other.key for other in causes()}
    assert set(cause.explains) <= known - {cause.key}


def test_every_issue_is_detected_by_an_alarm_or_tells_where_it_shows() -> None:
    alarms = {issue: alarm for issue, _, alarm in declared()}
    assert set(alarms) == {runbook.issue for runbook in RUNBOOKS}
    assert [issue for issue, alarm in alarms.items() if isinstance(alarm, ClientSignal)] == [
        "mcp-not-connecting"
    ]


def test_every_issue_has_a_file_of_its_name() -> None:
    files = {path.stem.replace("_", "-") for path in (ROOT / "runbooks" / "issues").glob("*.py")}
    assert files - {"--init--"} == {runbook.issue for runbook in RUNBOOKS}


@pytest.mark.parametrize("path", sorted((ROOT / "runbooks" / "issues").glob("*.py")), ids=lambda p: p.stem)
def test_checks_only_look_and_judge(path: Path) -> None:
    """No AWS library, no process and no file is used by an issue itself, and nothing is printed."""
    tree = ast.parse(path.read_text())
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {m for m in modules if m.split(".")[0] in ("boto3", "botocore", "subprocess", "os", "pathlib")}
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "print"]


def test_the_generated_documents_are_up_to_date() -> None:
    assert guide.write(check=True) == [], "run ./inv docs"
    assert table.write(check=True) == [], "run ./inv docs"
    text = guide.PATH.read_text()
    assert [cause.key for cause in causes() if f"`{cause.code}`" not in text] == []
