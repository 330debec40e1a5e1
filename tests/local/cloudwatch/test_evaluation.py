"""The state of an alarm: the tables of CloudWatch's user guide ("How missing data is treated"), and more."""

import pytest

from local.cloudwatch.evaluation import Rule, State, evaluate

END = 6000
# Oldest first, as the guide writes them: 0 is within the threshold, X breaches it, - is missing.
THREE_OF_THREE = [
    ("0-X-X", "OK", "OK", "OK", "OK"),
    ("0----", "OK", "OK", "OK", "OK"),
    ("-----", "INSUFFICIENT_DATA", "kept", "ALARM", "OK"),
    ("0XX-X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("--X--", "ALARM", "kept", "ALARM", "OK"),
]
TWO_OF_THREE = [
    ("0-X-X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("00X0X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0-X--", "OK", "OK", "ALARM", "OK"),
    ("----0", "OK", "OK", "ALARM", "OK"),
    ("---X-", "ALARM", "kept", "ALARM", "OK"),
]


def rule(needed: int, missing: str = "missing", periods: int = 3, **more: float | str) -> Rule:
    return Rule(
        comparison=str(more.get("comparison", "GreaterThanThreshold")),
        threshold=float(more.get("threshold", 0)),
        period=60,
        evaluation_periods=periods,
        datapoints_to_alarm=needed,
        missing=missing,
    )


def points(drawn: str) -> dict[int, float]:
    """A drawing's points: the last period ends at `END`."""
    known = {END - 60 * (len(drawn) - place): mark for place, mark in enumerate(drawn)}
    return {start: float(mark == "X") for start, mark in known.items() if mark != "-"}


@pytest.mark.parametrize("missing", ["missing", "ignore", "breaching", "notBreaching"])
@pytest.mark.parametrize(
    ("needed", "row"), [(3, row) for row in THREE_OF_THREE] + [(2, row) for row in TWO_OF_THREE]
)
def test_missing_data(needed: int, row: tuple[str, ...], missing: str) -> None:
    expected = row[1 + ["missing", "ignore", "breaching", "notBreaching"].index(missing)]
    outcome = evaluate(rule(needed, missing), points(row[0]), END, "OK")
    assert (outcome.state if outcome else "kept") == expected


@pytest.mark.parametrize(
    ("comparison", "value", "expected"),
    [
        ("GreaterThanThreshold", 5.0, "OK"),
        ("GreaterThanOrEqualToThreshold", 5.0, "ALARM"),
        ("LessThanThreshold", 5.0, "OK"),
        ("LessThanThreshold", 4.9, "ALARM"),
        ("LessThanOrEqualToThreshold", 5.0, "ALARM"),
    ],
)
def test_comparisons(comparison: str, value: float, expected: State) -> None:
    outcome = evaluate(rule(1, periods=1, comparison=comparison, threshold=5), {END - 60: value}, END, "OK")
    assert outcome is not None
    assert outcome.state == expected


def test_a_period_that_has_not_ended_does_not_count() -> None:
    outcome = evaluate(rule(1, "notBreaching", periods=1), {END: 1.0}, END, "OK")
    assert outcome is not None
    assert outcome.state == "OK"


@pytest.mark.parametrize(
    ("given", "missing", "old", "reason"),
    [
        (
            "XX",
            "missing",
            "OK",
            "Threshold Crossed: 2 out of the last 2 datapoints [1.0 (01/01/70 01:39:00), "
            "1.0 (01/01/70 01:38:00)] were greater than the threshold (0.0) "
            "(minimum 2 datapoints for OK -> ALARM transition).",
        ),
        (
            "X0",
            "missing",
            "ALARM",
            "Threshold Crossed: 1 out of the last 2 datapoints [0.0 (01/01/70 01:39:00)] was not greater "
            "than the threshold (0.0) (minimum 1 datapoint for ALARM -> OK transition).",
        ),
        (
            "",
            "breaching",
            "OK",
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were "
            "treated as [Breaching].",
        ),
        ("", "missing", "OK", "Insufficient Data: 2 datapoints were unknown."),
    ],
)
def test_the_reason_says_what_was_seen(given: str, missing: str, old: State, reason: str) -> None:
    outcome = evaluate(rule(2, missing, periods=2), points(given), END, old)
    assert outcome is not None
    assert outcome.reason == reason
