"""Each alarm detects what it is declared for: with the fault it goes to ALARM and people are told, and back.

Events and minutes of waiting are let pass by the region's controls; the faults are real.
"""

from __future__ import annotations

import pytest

from local.testing import LocalRegion
from runbooks.alarms import ClientSignal, EventAlarm, alarm_name, every
from tests.runbooks.faults.alarms import SCENARIOS, Watched, happening
from tests.runbooks.faults.stack import Stack

pytestmark = [pytest.mark.region, pytest.mark.xdist_group("alarms")]

ALARMS = {each.name: each for each in every() if not isinstance(each.alarm, ClientSignal)}
SCALING = "TargetTracking-"  # of auto-scaling, which the local region does not imitate


@pytest.fixture(scope="module")
def watched(region: LocalRegion) -> Watched:
    stack = Stack(region)
    stack.steady()
    return Watched(stack)


def states(watched: Watched, minutes: int) -> dict[str, str]:
    found = watched.minutes(minutes)
    return {name: state for name, state in found.items() if not name.startswith(SCALING)}


def test_every_alarm_has_its_scenario() -> None:
    assert set(SCENARIOS) == set(ALARMS)


def test_a_healthy_stack_under_load_is_not_alarming(watched: Watched) -> None:
    stack = watched.stack
    posted = [
        stack.post("/dispatch", {"agent": "aider", "task": "Add a line.", "repository": stack.repository()})
        for _ in range(3)
    ]
    assert [status for status, _ in posted] == [202] * 3
    for _, answer in posted:
        watched.region.wait_for(lambda each=answer: stack.ended(each["dispatchId"]), 60, "its end")
    assert {stack.get(path)[0] for path in ("/health", "/fleet", "/dispatch") * 20} == {200}
    assert set(states(watched, 10).values()) == {"OK"}
    assert not [text for text in watched.listen() if "ALARM: " in text]


@pytest.mark.parametrize("name", SCENARIOS)
def test_alarm(watched: Watched, name: str) -> None:
    scenario, full = SCENARIOS[name], alarm_name(watched.stack.names.stack, name)
    watched.stack.steady()  # whatever became of the test before
    _wait_until_over(watched, name)
    watched.listen()
    watched.told.clear()
    with happening(watched, scenario):
        watched.minutes(scenario.minutes)
        if isinstance(ALARMS[name].alarm, EventAlarm):
            watched.region.wait_for(lambda: [text for text in watched.listen() if full in text], 10, full)
        else:
            (alarm,) = watched.cloudwatch.describe_alarms(AlarmNames=[full])["MetricAlarms"]
            assert alarm["StateValue"] == "ALARM", alarm["StateReason"]
            assert [text for text in watched.listen() if f'ALARM: \\"{full}\\"' in text], watched.told
        if scenario.finds:
            report = watched.stack.diagnose(since="1h", alarm=full)
            assert report.findings[0].cause.key == scenario.finds
    _wait_until_over(watched, name)


def _wait_until_over(watched: Watched, name: str) -> None:
    """Let minutes pass until the alarm is OK: health checks take a while too. A rule has no state."""
    full = alarm_name(watched.stack.names.stack, name)
    if not isinstance(ALARMS[name].alarm, EventAlarm):
        watched.region.wait_for(lambda: states(watched, 5)[full] == "OK", 60, f"{full} to be OK")
