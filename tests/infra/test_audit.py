"""What an audit accepts has a reason, and what it does not accept is told."""

from typing import Any

import yaml

from infra.audit import MUTELIST, Finding, judge


def entry(status: str, code: str = "FAIL") -> dict[str, Any]:
    return {
        "status_code": code,
        "status": status,
        "severity": "High",
        "metadata": {"event_code": "s3_bucket_public_access"},
        "resources": [{"name": "outpost-artifacts-dev"}],
        "status_detail": "It is public.",
    }


def test_muted_findings_are_accepted_and_others_are_open() -> None:
    accepted, found = judge([entry("New"), entry("Suppressed"), entry("New", code="PASS")])
    assert accepted == 1
    assert found == [
        Finding(
            severity="High",
            check="s3_bucket_public_access",
            resource="outpost-artifacts-dev",
            detail="It is public.",
        )
    ]
    assert str(found[0]) == "High: s3_bucket_public_access outpost-artifacts-dev: It is public."


def test_every_accepted_check_has_a_reason() -> None:
    (account,) = yaml.safe_load(MUTELIST.read_text())["Mutelist"]["Accounts"].values()
    for check, mute in account["Checks"].items():
        assert len(mute["Description"]) > 30, check
        assert mute["Resources"], check


def test_the_stacks_own_roles_are_never_muted() -> None:
    (account,) = yaml.safe_load(MUTELIST.read_text())["Mutelist"]["Accounts"].values()
    for check, mute in account["Checks"].items():
        if check.startswith("iam_"):
            assert mute["Exceptions"]["Resources"] == ["outpost-.*"]
