"""Each issue that AWS can see has an alarm which names the issue and the command that explains it."""

import pytest

from runbooks.alarms import ClientSignal, EventAlarm, alarm_name, every
from tests.infra.recording import Program

SEEN = [(each.name, each.alarm) for each in every() if not isinstance(each.alarm, ClientSignal)]


@pytest.fixture(scope="module")
def signals(dev: Program) -> dict[str, str]:
    """Descriptions of alarms and rules, by name."""
    alarms = dev.of("cloudwatch/metricAlarm:MetricAlarm").values()
    rules = dev.of("cloudwatch/eventRule:EventRule").values()
    return {a.inputs["name"]: a.inputs["alarmDescription"] for a in alarms} | {
        r.inputs["name"]: r.inputs["description"] for r in rules
    }


@pytest.mark.parametrize("issue", [issue for issue, _ in SEEN])
def test_an_issues_alarm_says_how_to_find_its_cause(signals: dict[str, str], issue: str) -> None:
    name = alarm_name("dev", issue)
    assert f"invoke diagnose --alarm {name}" in signals[name]


def test_alarms_tell_the_encrypted_topic(program: Program) -> None:
    (topic,) = program.of("sns/topic:Topic").values()
    assert ":kms:" in topic.inputs["kmsMasterKeyId"]
    for name, alarm in program.of("cloudwatch/metricAlarm:MetricAlarm").items():
        (action,) = alarm.inputs["alarmActions"]
        assert action.endswith(topic.inputs["name"]), name


def test_a_percentile_is_declared_as_cloudwatch_wants_it(program: Program) -> None:
    plain = {"Average", "Maximum", "Minimum", "SampleCount", "Sum"}
    for name, alarm in program.of("cloudwatch/metricAlarm:MetricAlarm").items():
        if "metricQueries" not in alarm.inputs:
            assert (alarm.inputs.get("statistic") in plain) != ("extendedStatistic" in alarm.inputs), name


def test_a_sum_of_metrics_counts_what_is_not_reported_as_nothing(dev: Program) -> None:
    """An alarm on one of DynamoDB's metrics ignores missing data, and would stay in ALARM for ever."""
    for alarm in dev.of("cloudwatch/metricAlarm:MetricAlarm").values():
        assert alarm.inputs.get("namespace") != "AWS/DynamoDB"
    throttling = dev.of("cloudwatch/metricAlarm:MetricAlarm")["outpost-dev-dynamodb-throttling"].inputs
    total, *metrics = throttling["metricQueries"]
    assert (total["expression"], total["returnData"]) == ("FILL(m0, 0) + FILL(m1, 0)", True)
    assert [query["metric"]["metricName"] for query in metrics] == [
        "WriteThrottleEvents",
        "ReadThrottleEvents",
    ]


def test_placeholders_are_filled(program: Program) -> None:
    for name, alarm in program.of("cloudwatch/metricAlarm:MetricAlarm").items():
        values = alarm.inputs.get("dimensions", {}).values()
        assert all(value and "{" not in value for value in values), name


def test_an_event_alarm_listens_to_its_own_cluster_only(dev: Program) -> None:
    rules = dev.of("cloudwatch/eventRule:EventRule")
    for issue in [issue for issue, alarm in SEEN if isinstance(alarm, EventAlarm)]:
        pattern = rules[alarm_name("dev", issue)].document("eventPattern")
        if pattern["detail-type"] == ["ECS Task State Change"]:
            (cluster,) = pattern["detail"]["clusterArn"]
            assert cluster.endswith("/outpost-dev")
        else:
            (services,) = pattern["resources"]
            assert services["prefix"].endswith(":service/outpost-dev/")


def test_the_dashboard_shows_every_alarm(dev: Program) -> None:
    (dashboard,) = dev.of("cloudwatch/dashboard:Dashboard").values()
    states, *metrics = dashboard.document("dashboardBody")["widgets"]
    alarms = dev.of("cloudwatch/metricAlarm:MetricAlarm")
    assert len(states["properties"]["alarms"]) == len(metrics) == len(alarms)
    places = {(widget["x"], widget["y"]) for widget in metrics}
    assert len(places) == len(metrics)


def test_an_alarm_address_is_subscribed() -> None:
    (subscription,) = (
        Program("dev", alarmEmail="oncall@example.com").of("sns/topicSubscription:TopicSubscription").values()
    )
    assert subscription.inputs["endpoint"] == "oncall@example.com"
