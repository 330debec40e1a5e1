"""CloudWatch in the local region, through its API: from a log event to a notification."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local.testing import LocalRegion

pytestmark = pytest.mark.region


class Watched:
    """A log group, a topic with a queue that is told, and alarms of one's own."""

    def __init__(self, region: LocalRegion) -> None:
        self.region = region
        self.name = f"watched-{uuid4().hex[:8]}"
        self.cloudwatch, self.logs, self.sqs = (region.client(each) for each in ("cloudwatch", "logs", "sqs"))
        self.logs.create_log_group(logGroupName=self.name)
        self.logs.create_log_stream(logGroupName=self.name, logStreamName="s")
        sns = region.client("sns")
        self.topic = sns.create_topic(Name=self.name)["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        sns.subscribe(
            TopicArn=self.topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:123456789012:{self.name}"
        )

    def log(self, *messages: Any, minutes_ago: float = 0) -> None:
        at = int((time.time() - minutes_ago * 60) * 1000)
        texts = [each if isinstance(each, str) else json.dumps(each) for each in messages]
        events = [{"timestamp": at, "message": text} for text in texts]
        self.logs.put_log_events(logGroupName=self.name, logStreamName="s", logEvents=events)

    def filter(self, pattern: str, **transformation: Any) -> None:
        metric = {"metricNamespace": self.name, "metricName": "seen", "metricValue": "1"} | transformation
        self.logs.put_metric_filter(
            logGroupName=self.name, filterName="f", filterPattern=pattern, metricTransformations=[metric]
        )

    def alarm(self, **settings: Any) -> None:
        defaults = {
            "AlarmName": self.name,
            "Namespace": self.name,
            "MetricName": "seen",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 2.0,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": [self.topic],
            "OKActions": [self.topic],
        } | settings
        self.cloudwatch.put_metric_alarm(
            **{key: value for key, value in defaults.items() if value is not None}
        )

    def minutes(self, count: int = 1) -> str:
        return str(self.region.fault("minutes", count=count)[self.name])

    def sums(self, metric: str = "seen", statistic: str = "Sum", **dimensions: str) -> list[float]:
        now = datetime.now(UTC)
        wanted = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        answer = self.cloudwatch.get_metric_data(
            MetricDataQueries=[
                {
                    "Id": "m",
                    "MetricStat": {
                        "Metric": {"Namespace": self.name, "MetricName": metric, "Dimensions": wanted},
                        "Period": 60,
                        "Stat": statistic,
                    },
                }
            ],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=1),
            ScanBy="TimestampAscending",
        )
        found: list[float] = answer["MetricDataResults"][0]["Values"]
        return found

    def history(self, **filters: Any) -> list[dict[str, Any]]:
        pages = self.cloudwatch.get_paginator("describe_alarm_history").paginate(
            AlarmName=self.name, **filters
        )
        return [item for page in pages for item in page["AlarmHistoryItems"]]

    def described(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cloudwatch.describe_alarms(AlarmNames=[self.name])["MetricAlarms"][0]
        return found

    def told(self) -> list[dict[str, Any]]:
        """What the topic's subscriber has got since it was last asked."""
        messages = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(json.loads(message["Body"])["Message"]) for message in messages]


@pytest.fixture
def watched(empty_region: LocalRegion) -> Iterator[Watched]:
    made = Watched(empty_region)
    yield made
    made.cloudwatch.delete_alarms(AlarmNames=[made.name])


def test_a_metric_filter_counts_what_matches_in_the_minute_of_the_event(watched: Watched) -> None:
    watched.filter('{ $.event = "x" }', defaultValue=0.0)
    watched.log({"event": "x"}, {"event": "y"}, minutes_ago=9)
    watched.log({"event": "x"}, {"event": "x"}, "no JSON")
    watched.log("nothing of it", minutes_ago=5)
    assert watched.sums() == [1.0, 0.0, 2.0]


def test_a_filter_may_take_its_value_and_dimensions_from_the_event(watched: Watched) -> None:
    watched.filter(
        "{ $.ms = * }", metricValue="$.ms", dimensions={"Route": "$.request.route"}, unit="Milliseconds"
    )
    watched.log({"ms": 40, "request": {"route": "/a"}}, {"ms": "slow", "request": {"route": "/a"}}, {"ms": 5})
    assert watched.sums(Route="/a") == [40.0]
    assert watched.sums() == []


def test_a_filter_that_is_put_again_is_replaced(watched: Watched) -> None:
    watched.filter("ERROR")
    watched.filter("ERROR")
    watched.log("ERROR")
    assert watched.sums() == [1.0]


def test_a_filter_that_is_not_understood_is_refused(watched: Watched) -> None:
    with pytest.raises(ClientError, match="space-delimited"):
        watched.filter("[a, b]")


def test_metrics_of_the_embedded_format_are_extracted(watched: Watched) -> None:
    directive = {
        "Namespace": watched.name,
        "Dimensions": [["agent"], []],
        "Metrics": [{"Name": "wait", "Unit": "Seconds"}],
    }
    at = int(time.time() * 1000)
    for value in (1, [2, 3]):
        watched.log(
            {
                "_aws": {"Timestamp": at, "CloudWatchMetrics": [directive]},
                "wait": value,
                "agent": "claude",
            }
        )
    watched.log({"_aws": {"CloudWatchMetrics": [{"no": "metric"}]}}, "_aws")
    assert watched.sums("wait", agent="claude") == [6.0]
    assert watched.sums("wait", "p90") == [3.0]


def test_an_alarm_tells_its_topic_and_keeps_a_history(watched: Watched) -> None:
    watched.filter("ERROR", defaultValue=0.0)
    watched.alarm()
    first = watched.described()
    assert (first["StateValue"], first["StateReason"]) == (
        "INSUFFICIENT_DATA",
        "Unchecked: Initial alarm creation",
    )
    assert watched.minutes() == "OK"
    watched.told()
    watched.log("ERROR one", "ERROR two")
    assert watched.minutes() == "ALARM"
    now = watched.described()
    assert now["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoint [2.0 (")
    assert json.loads(now["StateReasonData"])["recentDatapoints"] == [2.0]
    assert now["StateUpdatedTimestamp"] > first["StateUpdatedTimestamp"] - timedelta(minutes=2)
    watched.log("fine")
    assert watched.minutes() == "OK"
    changes = [(each["OldStateValue"], each["NewStateValue"]) for each in watched.told()]
    assert changes == [("OK", "ALARM"), ("ALARM", "OK")]
    newest_first = [item["HistorySummary"] for item in watched.history(HistoryItemType="StateUpdate")]
    assert newest_first == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
    ]
    assert [item["HistoryItemType"] for item in watched.history(ScanBy="TimestampAscending")] == [
        "ConfigurationUpdate", *["StateUpdate", "Action"] * 3,
    ]  # fmt: skip


def test_history_is_paged_and_narrowed(watched: Watched) -> None:
    watched.alarm()
    for _ in range(3):
        for state in ("ALARM", "OK"):
            watched.cloudwatch.set_alarm_state(AlarmName=watched.name, StateValue=state, StateReason="a test")
    whole = watched.history()
    assert len(whole) == 1 + 2 * 6
    assert watched.history(PaginationConfig={"PageSize": 4}) == whole
    assert len(watched.history(HistoryItemType="Action")) == 6
    watched.minutes(10)
    recent = datetime.now(UTC) - timedelta(minutes=5)
    assert watched.history(StartDate=recent) == []
    assert watched.history(EndDate=recent) == watched.history()


def test_a_state_that_was_set_lasts_until_the_next_evaluation(watched: Watched) -> None:
    watched.alarm()
    watched.minutes()
    watched.told()
    watched.cloudwatch.set_alarm_state(AlarmName=watched.name, StateValue="ALARM", StateReason="a test")
    assert watched.described()["StateValue"] == "ALARM"
    assert [each["NewStateReason"] for each in watched.told()] == ["a test"]
    assert watched.minutes() == "OK"


def test_a_changed_alarm_keeps_its_state(watched: Watched) -> None:
    watched.alarm()
    watched.minutes()
    watched.alarm(Threshold=9.0)
    assert (watched.described()["StateValue"], watched.described()["Threshold"]) == ("OK", 9.0)


def test_an_alarm_on_a_dynamodb_metric_ignores_missing_data(watched: Watched) -> None:
    """Whatever it is told to do: so it stays in ALARM when the throttling has ended (PutMetricAlarm)."""
    throttled = {"Namespace": "AWS/DynamoDB", "MetricName": watched.name, "Threshold": 1.0}
    watched.alarm(**throttled)
    assert watched.minutes() == "INSUFFICIENT_DATA"
    watched.cloudwatch.put_metric_data(
        Namespace="AWS/DynamoDB", MetricData=[{"MetricName": watched.name, "Value": 1}]
    )
    assert watched.minutes() == "ALARM"
    assert watched.minutes(30) == "ALARM"


def test_an_alarm_may_be_on_an_expression(watched: Watched) -> None:
    stats = [
        {
            "Id": each,
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": watched.name, "MetricName": each},
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for each in ("reads", "writes")
    ]
    plain = dict.fromkeys(("Namespace", "MetricName", "Statistic", "Period"))
    sum_of_both = {"Id": "both", "Expression": "FILL(reads, 0) + FILL(writes, 0)", "ReturnData": True}
    watched.alarm(**plain, Metrics=[sum_of_both, *stats])
    assert watched.minutes() == "OK"
    watched.cloudwatch.put_metric_data(
        Namespace=watched.name, MetricData=[{"MetricName": "reads", "Value": 2}]
    )
    assert watched.minutes() == "ALARM"
    assert watched.minutes() == "OK"


def test_eventbridge_is_told_of_a_new_state(watched: Watched) -> None:
    events = watched.region.client("events")
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [watched.name]}}
    events.put_rule(Name=watched.name, EventPattern=json.dumps(pattern))
    template = {
        "InputPathsMap": {"state": "$.detail.state.value", "before": "$.detail.previousState.value"},
        "InputTemplate": '{"change": "<before> to <state>"}',
    }
    events.put_targets(
        Rule=watched.name, Targets=[{"Id": "t", "Arn": watched.topic, "InputTransformer": template}]
    )
    watched.alarm(AlarmActions=[], OKActions=[])
    watched.minutes()
    told = watched.region.wait_for(watched.told, 5, "the event")
    assert told == [{"change": "INSUFFICIENT_DATA to OK"}]


def test_the_queues_age_and_fill(watched: Watched) -> None:
    dimensions = [{"Name": "QueueName", "Value": watched.name}]
    watched.alarm(
        Namespace="AWS/SQS", MetricName="ApproximateAgeOfOldestMessage", Statistic="Maximum",
        Dimensions=dimensions, Threshold=120.0, AlarmActions=[], OKActions=[],
    )  # fmt: skip
    watched.sqs.send_message(QueueUrl=watched.queue, MessageBody="{}")
    assert watched.minutes() == "OK"
    assert watched.minutes(2) == "ALARM"
    for _ in range(3):  # received three times and not deleted: no longer the oldest
        watched.sqs.receive_message(QueueUrl=watched.queue, VisibilityTimeout=0)
    assert watched.minutes() == "OK"


def test_evaluation_as_of_a_time(watched: Watched) -> None:
    watched.filter("ERROR")
    watched.alarm(Period=300)
    watched.log("ERROR one", "ERROR two")
    at = time.time()
    assert watched.region.fault("evaluate-alarms", at=at + 60)[watched.name] == "ALARM"
    assert watched.region.fault("evaluate-alarms", at=at + 3600)[watched.name] == "OK"


def test_statistics_come_with_percentiles(watched: Watched) -> None:
    now = datetime.now(UTC)
    data = [
        {"MetricName": "seen", "Values": [1, 2, 30], "Counts": [4, 5, 1], "Timestamp": now, "Unit": "Seconds"}
    ]
    watched.cloudwatch.put_metric_data(Namespace=watched.name, MetricData=data)
    asked = {
        "Namespace": watched.name,
        "MetricName": "seen",
        "StartTime": now - timedelta(minutes=2),
        "EndTime": now + timedelta(minutes=1),
    }
    (point,) = watched.cloudwatch.get_metric_statistics(
        **asked, Period=60, Statistics=["Maximum", "SampleCount"], ExtendedStatistics=["p90", "p95"]
    )["Datapoints"]
    assert (point["Maximum"], point["SampleCount"], point["Unit"]) == (30, 10, "Seconds")
    assert point["ExtendedStatistics"] == {"p90": 2, "p95": 30}
    named = watched.cloudwatch.list_metrics(Namespace=watched.name)["Metrics"]
    assert [(metric["MetricName"], metric["Dimensions"]) for metric in named] == [("seen", [])]
