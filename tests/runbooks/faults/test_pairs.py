"""Two faults at once: the report names both, the one that hurts more first."""

import contextlib

import pytest

from tests.runbooks.faults.catalogue import FAULTS, below
from tests.runbooks.faults.stack import Stack, injected

pytestmark = pytest.mark.region

# The first is to be ranked above the second.
PAIRS = [
    ("health-check-failing/dynamodb-unreachable", "memory-pressure/fast-undersized"),
    ("s3-access-denied/missing-permission", "client-failing/authentication-error"),
    ("dispatch-stuck-pending/task-definition-missing", "high-cold-start/no-provisioned-capacity"),
    ("efs-mount-failure/nfs-blocked", "mcp-not-connecting/wrong-endpoint"),
    ("s3-access-denied/bucket-policy-denies", "unauthorized/key-revoked"),
    ("dispatch-stuck-pending/egress-blocked", "memory-pressure/flagship-undersized"),
    ("slow-responses/missing-vpc-endpoints", "mcp-not-connecting/old-ssm-config"),
    # Two on the same thing: the bucket, the file system, an agent, the control plane's task definition.
    ("s3-access-denied/missing-permission", "s3-access-denied/bucket-policy-denies"),
    ("efs-mount-failure/no-mount-target", "efs-mount-failure/nfs-blocked"),
    ("agent-fails-immediately/api-key-missing", "memory-pressure/flagship-undersized"),
    ("s3-access-denied/wrong-bucket-name", "dynamodb-throttling/retries-without-backoff"),
]


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_two_faults_at_once_are_both_named(stack: Stack, pair: tuple[str, str]) -> None:
    with contextlib.ExitStack() as faults:
        for key in pair:
            faults.enter_context(injected(stack, FAULTS[key]))
        report = stack.diagnose()
        ranked = [finding.cause.key for finding in report.findings]
        assert [key for key in ranked if key in pair] == list(pair), ranked
        assert report.lit <= {*pair, *below(pair[0]), *below(pair[1])}, ranked
        assert report.findings[0].cause.key == pair[0], ranked
    report = stack.diagnose()
    assert [(f.cause.key, f.judgement.summary) for f in report.findings] == []
