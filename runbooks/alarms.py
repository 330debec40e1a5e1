"""Alarms as plain data: what detects an issue, for the infrastructure program to create.

Dimension values and log groups may hold placeholders (`{cluster}`, `{service}`, `{load_balancer}`,
`{target_group}`, `{jobs_table}`, `{launch_queue}`, `{events_dead_letter_queue}`), which the reader of this
data fills. An alarm is called `outpost-STACK-ISSUE`. Nothing here imports an AWS library.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Comparison = Literal["GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold"]


@dataclass(frozen=True, kw_only=True)
class MetricAlarm:
    """A CloudWatch alarm on one metric. `period` is in seconds.

    `plus` are metrics of the same dimensions that are added to it; one that was not reported counts as 0.
    `datapoints` of the evaluation periods have to breach the threshold; 0: all of them.
    """

    namespace: str
    metric: str
    statistic: str
    threshold: float
    dimensions: tuple[tuple[str, str], ...] = ()
    comparison: Comparison = "GreaterThanOrEqualToThreshold"
    period: int = 60
    evaluation_periods: int = 1
    datapoints: int = 0
    plus: tuple[str, ...] = ()
    treat_missing: str = "notBreaching"


@dataclass(frozen=True, kw_only=True)
class LogAlarm:
    """A metric filter on a log group (namespace `Outpost`, metric named after the issue) and its alarm."""

    log_group: str
    pattern: str
    threshold: float = 1
    period: int = 300


@dataclass(frozen=True, kw_only=True)
class EventAlarm:
    """An EventBridge rule that tells the alarm topic. `reason` and `subject` are paths to what is told."""

    event_pattern: Mapping[str, Any] = field(hash=False)
    reason: str = "$.detail.stoppedReason"
    subject: str = "$.detail.taskArn"


@dataclass(frozen=True, kw_only=True)
class ClientSignal:
    """An issue that shows on a client's machine, where no alarm of the stack can see it."""

    text: str


Alarm = MetricAlarm | LogAlarm | EventAlarm | ClientSignal


def alarm_name(stack: str, issue: str) -> str:
    """What the alarm, or the event rule, of an issue is called."""
    return f"outpost-{stack}-{issue}"


@dataclass(frozen=True)
class Declared:
    """An alarm of an issue. `name` is what it is called after the stack's name."""

    name: str
    issue: str
    title: str
    alarm: Alarm


def detected() -> dict[str, str]:
    """What every alarm and event rule is called after the stack's name, and the issue that it detects."""
    return {each.name: each.issue for each in every() if not isinstance(each.alarm, ClientSignal)}


def dead_letters(queue: str) -> MetricAlarm:
    """Tells when a message could not be handled: it is kept, and someone has to look at it."""
    return MetricAlarm(
        namespace="AWS/SQS",
        metric="ApproximateNumberOfMessagesVisible",
        statistic="Maximum",
        threshold=1,
        dimensions=(("QueueName", queue),),
    )


def stopped_tasks(reason: str) -> EventAlarm:
    """Tells when a task of the stack stopped with a reason that starts so."""
    return EventAlarm(
        event_pattern={
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {"lastStatus": ["STOPPED"], "stoppedReason": [{"prefix": reason}]},
        }
    )


def declared() -> tuple[tuple[str, str, Alarm], ...]:
    """Issue, title and first alarm of every runbook, in the order of the guide."""
    from runbooks.catalogue import RUNBOOKS

    return tuple((runbook.issue, runbook.title, runbook.alarm) for runbook in RUNBOOKS)


def every() -> tuple[Declared, ...]:
    """All alarms of all runbooks, in the order of the guide; an issue's first one is called as the issue."""
    from runbooks.catalogue import RUNBOOKS

    return tuple(
        Declared(name, runbook.issue, runbook.title, alarm)
        for runbook in RUNBOOKS
        for name, alarm in {runbook.issue: runbook.alarm, **runbook.further}.items()
    )
