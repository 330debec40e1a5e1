"""Statistics of a minute, and of minutes together."""

import pytest

from local.cloudwatch.series import AllSeries, key_of
from local.cloudwatch.statistics import Bucket


def bucket(*values: float) -> Bucket:
    made = Bucket()
    for value in values:
        made.add(value)
    return made


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("SampleCount", 10), ("Sum", 55), ("Average", 5.5), ("Minimum", 1), ("Maximum", 10),
        ("p50", 5), ("p90", 9), ("p95", 10), ("p99.9", 10), ("p100", 10),
    ],
)  # fmt: skip
def test_statistic(statistic: str, expected: float) -> None:
    assert bucket(*range(1, 11)).statistic(statistic) == expected


def test_of_a_statistic_set_there_are_no_percentiles() -> None:
    made = bucket(1)
    made.add_set(2, 9, 4, 5)
    assert (made.statistic("p50"), made.statistic("Average")) == (None, 10 / 3)


def test_an_unknown_statistic_is_refused() -> None:
    with pytest.raises(ValueError, match="tm90"):
        bucket(1).statistic("tm90")


def test_periods_are_of_whole_minutes_and_get_older() -> None:
    series, key = AllSeries(), key_of("N", "m", [("b", "2"), ("a", "1")])
    for at, value in ((61, 1.0), (119, 2.0), (180, 5.0)):
        series.bucket(key_of("N", "m", [("a", "1"), ("b", "2")]), at).add(value)
    assert series.points(key, "Sum", 60, 0, 240) == {60: 3.0, 180: 5.0}
    assert series.points(key, "Sum", 120, 60, 300) == {60: 3.0, 180: 5.0}
    assert series.points(key, "Maximum", 240, 0, 240) == {0: 5.0}
    series.shift(60)
    assert series.points(key, "Sum", 60, 0, 240) == {0: 3.0, 120: 5.0}
    series.forget(before=60)
    assert series.points(key, "Sum", 60, 0, 240) == {120: 5.0}
