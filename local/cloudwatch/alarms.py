"""Evaluates the alarms every minute, and lets a change of state be known.

AWS evaluates an alarm once a minute, over periods that end with the last whole minute. Here a thread does so
a few seconds after each; it costs nothing between. Not evaluated: alarms of target tracking, whose scaling is
not imitated either, and composite alarms, of which the program has none.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.sns.exceptions import SNSNotFoundError

from local.aws.bus import Bus
from local.aws.moto_app import backend
from local.cloudwatch import notices
from local.cloudwatch.evaluation import Outcome, Rule, State, evaluate
from local.cloudwatch.expressions import ExpressionError, Points, compute
from local.cloudwatch.series import MINUTE, RETENTION, AllSeries, key_of

log = logging.getLogger(__name__)

LATE = 3.0  # seconds after a minute: what was logged at its end has been put by then
SCALING = "TargetTracking-"  # how alarms of target tracking policies are called
CHOOSES = {"OK": "ok_actions", "ALARM": "alarm_actions", "INSUFFICIENT_DATA": "insufficient_data_actions"}
AS_DYNAMODB = "AWS/DynamoDB"  # alarms on its metrics ignore missing data, whatever they are set to

Gauge = Callable[[], None]  # records what is as it is now, in the current minute


class Alarms:
    """`gauges` are read each minute, `age` what else has to be older when minutes are let pass."""

    def __init__(
        self, lock: threading.RLock, bus: Bus, gauges: list[Gauge], age: Callable[[int], None]
    ) -> None:
        self._lock = lock
        self._bus = bus
        self._gauges = gauges
        self._age = age
        backend("cloudwatch").changed = self._tell
        threading.Thread(target=self._run, name="alarms", daemon=True).start()

    def evaluate(self, at: float) -> dict[str, str]:
        """Evaluate every alarm as of a time; the names of the alarms and their states."""
        with self._lock:
            alarms = list(backend("cloudwatch").alarms.values())
            for alarm in alarms:
                if alarm.rule is None and not alarm.name.startswith(SCALING):
                    self._evaluate(alarm, int(at) // MINUTE * MINUTE)
            return {alarm.name: alarm.state_value for alarm in alarms}

    def pass_minutes(self, count: int) -> dict[str, str]:
        """Let minutes pass for CloudWatch and the queues: what was measured gets older, gauges are read."""
        states: dict[str, str] = {}
        for _ in range(count):
            with self._lock:
                for gauge in self._gauges:
                    gauge()
                self._shift()
                states = self.evaluate(time.time())
        return states

    def _run(self) -> None:
        while True:
            now = time.time()
            time.sleep(MINUTE - (now - LATE) % MINUTE)
            try:
                with self._lock:
                    self.evaluate(time.time())
                    for gauge in self._gauges:
                        gauge()
                    backend("cloudwatch").series.forget(time.time() - RETENTION)
            except Exception:  # one alarm that cannot be judged must not end all of them
                log.exception("alarms were not evaluated")

    def _shift(self) -> None:
        cloudwatch = backend("cloudwatch")
        cloudwatch.series.shift(MINUTE)
        cloudwatch.alarm_history.shift(MINUTE)
        for alarm in cloudwatch.alarms.values():
            alarm.state_updated_timestamp -= timedelta(seconds=MINUTE)
            alarm.configuration_updated_timestamp -= timedelta(seconds=MINUTE)
        self._age(MINUTE)

    def _evaluate(self, alarm: Any, end: int) -> None:
        rule = rule_of(alarm)
        if rule.missing == "breaching" and end - _seconds(alarm) < rule.period * rule.evaluation_periods:
            return  # what was before the alarm is no outage
        try:
            points = _points(alarm, rule, backend("cloudwatch").series, end)
        except (ExpressionError, ValueError) as error:
            log.warning("alarm %s is not evaluated: %s", alarm.name, error)
            return
        outcome = evaluate(rule, points, end, alarm.state_value)
        if outcome is not None and outcome.state != alarm.state_value:
            self._change(alarm, rule, outcome, end)

    def _change(self, alarm: Any, rule: Rule, outcome: Outcome, end: int) -> None:
        old = alarm.state_value
        before = notices.state(alarm)
        data = notices.reason_data(rule, outcome, end, alarm)
        alarm.update_state(outcome.reason, json.dumps(data), outcome.state)
        self._tell(alarm, old, before)

    def _tell(self, alarm: Any, old: State, before: dict[str, str] | None = None) -> None:
        """History, notifications and the event of a new state."""
        history = backend("cloudwatch").alarm_history
        new = {
            "stateValue": alarm.state_value,
            "stateReason": alarm.state_reason,
            "stateReasonData": json.loads(alarm.state_reason_data or "{}"),
        }
        summary = f"Alarm updated from {old} to {alarm.state_value}"
        history.add(alarm, "StateUpdate", summary, {"oldState": {"stateValue": old}, "newState": new})
        self._bus.put(notices.event(alarm, before or {"value": old}))
        for target in getattr(alarm, CHOOSES[alarm.state_value]) if alarm.actions_enabled else ():
            done = _act(alarm, old, target)
            outcome = "Successfully executed" if done else "Failed to execute"
            succeeded = {"actionState": "Succeeded" if done else "Failed", "notificationResource": target}
            history.add(alarm, "Action", f"{outcome} action {target}", succeeded)


def rule_of(alarm: Any) -> Rule:
    """The rule in moto's alarm. An alarm on a DynamoDB metric ignores missing data (PutMetricAlarm)."""
    queries = [query.metric_stat for query in alarm.metric_data_queries if query.metric_stat]
    missing = alarm.treat_missing_data or "missing"
    return Rule(
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        period=int(alarm.period or (queries[0].period if queries else MINUTE)),
        evaluation_periods=int(alarm.evaluation_periods),
        datapoints_to_alarm=int(alarm.datapoints_to_alarm or alarm.evaluation_periods),
        missing="ignore" if alarm.namespace == AS_DYNAMODB else missing,
    )


def _points(alarm: Any, rule: Rule, series: AllSeries, end: int) -> Points:
    starts = sorted(rule.starts(end))
    if not alarm.metric_data_queries:
        key = key_of(alarm.namespace, alarm.metric_name, _pairs(alarm.dimensions))
        if alarm.unit and alarm.unit != series.unit(key):
            return {}
        statistic = alarm.extended_statistic or alarm.statistic
        return series.points(key, statistic, rule.period, starts[0], end)
    known: dict[str, Points] = {}
    for query in alarm.metric_data_queries:
        if query.metric_stat:
            metric = query.metric_stat.metric
            key = key_of(metric.namespace, metric.metric_name, _pairs(metric.dimensions))
            known[query.id] = series.points(key, query.metric_stat.stat, rule.period, starts[0], end)
    shown: Points = {}
    for query in alarm.metric_data_queries:
        if query.expression:
            known[query.id] = compute(query.expression, known, starts)
        if query.return_data is not False:
            shown = known[query.id]
    return shown


def _act(alarm: Any, old: str, target: str) -> bool:
    """Tell an SNS topic; other actions are not imitated, and fail."""
    if ":sns:" not in target:
        return False
    subject, body = notices.message(alarm, old)
    try:
        backend("sns").publish(body, arn=target, subject=subject)
    except SNSNotFoundError:
        return False
    return True


def _pairs(dimensions: Any) -> list[tuple[str, str]]:
    return [(each.name, each.value) for each in dimensions]


def _seconds(alarm: Any) -> float:
    updated: datetime = alarm.configuration_updated_timestamp
    return updated.replace(tzinfo=UTC).timestamp()
