"""EventBridge's patterns and input transformers, on the events that the stack's rules are about."""

from typing import Any

import pytest

from local.aws.event_patterns import matches, transformed

EVENT: dict[str, Any] = {
    "source": "aws.ecs",
    "detail-type": "ECS Task State Change",
    "detail": {
        "group": "service:api",
        "stoppedReason": 'ResourceInitializationError: failed: "x"',
        "version": 7,
        "containers": [{"name": "proxy"}, {"name": "main", "exitCode": 137}],
    },
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"source": ["aws.ecs"]}, True),
        ({"source": ["aws.ec2", "aws.ecs"]}, True),
        ({"source": ["aws.ec2"]}, False),
        ({"source": ["aws.ecs"], "detail-type": ["other"]}, False),
        ({"detail": {"stoppedReason": [{"prefix": "ResourceInit"}]}}, True),
        ({"detail": {"stoppedReason": [{"suffix": '"x"'}]}}, True),
        ({"detail": {"stoppedReason": [{"wildcard": "*failed*"}]}}, True),
        ({"detail": {"group": [{"equals-ignore-case": "SERVICE:API"}]}}, True),
        ({"detail": {"containers": {"exitCode": [137]}}}, True),
        ({"detail": {"containers": {"exitCode": ["137"]}}}, False),
        ({"detail": {"containers": {"exitCode": [{"anything-but": [0, 143]}]}}}, True),
        ({"detail": {"containers": {"exitCode": [{"anything-but": [0, 137]}]}}}, False),
        ({"detail": {"containers": {"reason": [{"anything-but": "x"}]}}}, False),  # there is no reason
        ({"detail": {"group": [{"anything-but": {"prefix": "family:"}}]}}, True),
        ({"detail": {"version": [{"numeric": [">", 5, "<=", 7]}]}}, True),
        ({"detail": {"version": [{"numeric": ["<", 5]}]}}, False),
        ({"detail": {"group": [{"exists": True}]}}, True),
        ({"detail": {"stopCode": [{"exists": False}]}}, True),
        ({"detail": {"stopCode": [{"exists": True}]}}, False),
        ({"detail": {"stopCode": ["x"]}}, False),
        ({"detail": {"$or": [{"stopCode": ["x"]}, {"group": ["service:api"]}]}}, True),
        ({"$or": [{"source": ["x"]}, {"detail": {"version": [8]}}]}, False),
    ],
)
def test_pattern(pattern: dict[str, Any], expected: bool) -> None:
    assert matches(pattern, EVENT) is expected


def test_a_template_is_filled_with_what_the_paths_lead_to() -> None:
    transformer = {
        "InputPathsMap": {"reason": "$.detail.stoppedReason", "lost": "$.detail.nothing"},
        "InputTemplate": '"Stopped: <reason>, <lost>, <unknown>"',
    }
    expected = r'"Stopped: ResourceInitializationError: failed: \"x\", , <unknown>"'
    assert transformed(transformer, EVENT) == expected
