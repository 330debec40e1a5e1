"""The state of an alarm, from its configuration and the datapoints: no clock, no store.

After CloudWatch's user guide: "Alarm evaluation" and "Configuring how CloudWatch alarms treat missing data".
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

# Periods that are looked at beyond those that are evaluated: the guide's examples look at 5 for 3.
BEYOND = 2
_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
_TREATED = {"breaching": "Breaching", "notBreaching": "NonBreaching"}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When an alarm changes state. `period` is in seconds; `missing` as TreatMissingData."""

    comparison: str
    threshold: float
    period: int
    evaluation_periods: int
    datapoints_to_alarm: int
    missing: str = "missing"

    def starts(self, end: int) -> list[int]:
        """Where the periods start that are looked at when the newest ends at `end`; the newest first."""
        return [end - each * self.period for each in range(1, self.evaluation_periods + BEYOND + 1)]


@dataclass(frozen=True)
class Outcome:
    """A state and why, in CloudWatch's words; `evaluated` are the datapoints that decided, newest first."""

    state: State
    reason: str
    evaluated: tuple[tuple[int, float], ...] = ()


def evaluate(rule: Rule, points: Mapping[int, float], end: int, state: State) -> Outcome | None:
    """The state at `end`, or None where the alarm keeps the `state` that it has.

    `points` are values by the start of their periods.
    """
    breaches, words = _COMPARISONS[rule.comparison]
    real = [(start, points[start]) for start in rule.starts(end) if start in points]
    judged = real[: rule.evaluation_periods]
    over = [point for point in judged if breaches(point[1], rule.threshold)]
    lacking = rule.evaluation_periods - len(judged)
    if lacking and rule.missing in ("missing", "ignore"):
        new = _without_filling(rule, judged, over, end)
    else:
        filled = lacking if rule.missing == "breaching" else 0
        new = "ALARM" if len(over) + filled >= rule.datapoints_to_alarm else "OK"
    if new is None or (new == "INSUFFICIENT_DATA" and rule.missing == "ignore"):
        return None
    return Outcome(new, _reason(rule, words, judged, over, lacking, state, new), tuple(judged))


def _without_filling(
    rule: Rule, judged: list[tuple[int, float]], over: list[tuple[int, float]], end: int
) -> State | None:
    """The state by too few datapoints, of which none stands in for a missing one."""
    if not judged:
        return "INSUFFICIENT_DATA"
    if len(over) >= rule.datapoints_to_alarm:
        return "ALARM"
    if len(over) < len(judged):
        return "OK"
    # All there is breaches: an alarm when the oldest is old enough for what is missing since to breach too.
    if (end - over[-1][0]) // rule.period < rule.datapoints_to_alarm:
        return "OK"
    return None if rule.missing == "ignore" else "ALARM"


def _reason(
    rule: Rule,
    words: str,
    judged: list[tuple[int, float]],
    over: list[tuple[int, float]],
    lacking: int,
    old: State,
    new: State,
) -> str:
    if new == "INSUFFICIENT_DATA":
        return (
            f"Insufficient Data: {_count(lacking, 'datapoint')} {'was' if lacking == 1 else 'were'} unknown."
        )
    if not judged:
        return (
            f"Threshold Crossed: no datapoints were received for {_count(lacking, 'period')} and "
            f"{_count(lacking, 'missing datapoint')} {'was' if lacking == 1 else 'were'} treated as "
            f"[{_TREATED.get(rule.missing, 'Missing')}]."
        )
    told = over if new == "ALARM" and over else [point for point in judged if point not in over] or judged
    listed = ", ".join(f"{float(value)} ({_when(start)})" for start, value in told)
    needed = rule.datapoints_to_alarm
    if new == "OK":
        words = f"not {words}"
        needed = rule.evaluation_periods - rule.datapoints_to_alarm + 1
    return (
        f"Threshold Crossed: {len(told)} out of the last {_count(len(judged), 'datapoint')} [{listed}] "
        f"{'was' if len(told) == 1 else 'were'} {words} the threshold ({float(rule.threshold)}) "
        f"(minimum {_count(needed, 'datapoint')} for {old} -> {new} transition)."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _when(start: int) -> str:
    """As CloudWatch writes it in a reason: day/month/year."""
    return datetime.fromtimestamp(start, UTC).strftime("%d/%m/%y %H:%M:%S")
