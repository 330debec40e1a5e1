"""Metric math over series with holes in them."""

import pytest

from local.cloudwatch.expressions import ExpressionError, compute

M1 = {0: 1.0, 60: 2.0}
M2 = {60: 10.0, 120: 20.0}
PERIODS = [0, 60, 120, 180]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 + m2", {60: 12.0}),
        ("FILL(m1, 0) + FILL(m2, 0)", {0: 1.0, 60: 12.0, 120: 20.0, 180: 0.0}),
        ("SUM([m1, m2])", {0: 1.0, 60: 12.0, 120: 20.0}),
        ("SUM(METRICS())", {0: 1.0, 60: 12.0, 120: 20.0}),
        ("MAX([m1, m2])", {0: 1.0, 60: 10.0, 120: 20.0}),
        ("AVG([m1, m2])", {0: 1.0, 60: 6.0, 120: 20.0}),
        ("FILL(m1, REPEAT)", {0: 1.0, 60: 2.0, 120: 2.0, 180: 2.0}),
        ("100 * (m2 / m1)", {60: 500.0}),
        ("m1 / (m1 - m1)", {}),
        ("-m1", {0: -1.0, 60: -2.0}),
        ("7", {0: 7.0, 60: 7.0, 120: 7.0, 180: 7.0}),
    ],
)
def test_expression(expression: str, expected: dict[int, float]) -> None:
    assert compute(expression, {"m1": M1, "m2": M2}, PERIODS) == expected


@pytest.mark.parametrize(
    "expression", ["m3", "m1 +", "SEARCH('x')", "__import__('os')", "m1 if m2 else 0", "FILL(m1)"]
)
def test_what_is_not_understood_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        compute(expression, {"m1": M1, "m2": M2}, PERIODS)
