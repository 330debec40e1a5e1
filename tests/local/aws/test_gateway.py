"""The embedded AWS where it differs from plain moto: transactions, long polling, faults, wire formats."""

import subprocess
import sys
import threading
import time

import httpx
import pytest
from botocore.exceptions import ClientError

from local.testing import LocalRegion
from tests.local.bench import Bench

pytestmark = pytest.mark.region


@pytest.fixture
def table(bench: Bench) -> str:
    """An empty table with a partition key and a sort key."""
    name = f"table-{bench.number}"
    bench.region.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "s", "AttributeType": "S"},
        ],
    )
    return name


def item(sort: str, **attributes: str) -> dict[str, dict[str, str]]:
    return {"p": {"S": "p"}, "s": {"S": sort}, **{k: {"S": v} for k, v in attributes.items()}}


def sorts(region: LocalRegion, table: str) -> list[str]:
    return sorted(each["s"]["S"] for each in region.client("dynamodb").scan(TableName=table)["Items"])


def test_a_transaction_writes_all(empty_region: LocalRegion, table: str) -> None:
    dynamodb = empty_region.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item("gone"))
    dynamodb.put_item(TableName=table, Item=item("changed", v="1"))

    dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table, "Item": item("new")}},
            {"Delete": {"TableName": table, "Key": item("gone")}},
            {
                "Update": {
                    "TableName": table,
                    "Key": item("changed"),
                    "UpdateExpression": "SET v = :v",
                    "ConditionExpression": "v = :old",
                    "ExpressionAttributeValues": {":v": {"S": "2"}, ":old": {"S": "1"}},
                }
            },
        ]
    )

    assert sorts(empty_region, table) == ["changed", "new"]
    assert dynamodb.get_item(TableName=table, Key=item("changed"))["Item"]["v"] == {"S": "2"}


def test_a_transaction_writes_nothing_when_a_condition_fails_and_says_which(
    empty_region: LocalRegion, table: str
) -> None:
    dynamodb = empty_region.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item("there", v="1"))
    condition = {
        "Put": {
            "TableName": table,
            "Item": item("there"),
            "ConditionExpression": "attribute_not_exists(p)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }

    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as refused:
        dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": table, "Item": item("other")}}, condition]
        )

    reasons = refused.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    assert reasons[1]["Item"] == item("there", v="1")
    assert sorts(empty_region, table) == ["there"]


def test_what_was_written_is_put_back_when_a_later_write_fails(empty_region: LocalRegion, table: str) -> None:
    dynamodb = empty_region.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item("text", v="not a number"))

    with pytest.raises(ClientError):
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": item("text", v="overwritten")}},
                {"Put": {"TableName": table, "Item": item("new")}},
                {
                    "Update": {
                        "TableName": table,
                        "Key": item("missing"),
                        "UpdateExpression": "SET v = nothing + :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                    }
                },
            ]
        )

    assert sorts(empty_region, table) == ["text"]
    assert dynamodb.get_item(TableName=table, Key=item("text"))["Item"]["v"] == {"S": "not a number"}


def test_of_many_parallel_conditional_puts_one_wins(empty_region: LocalRegion, table: str) -> None:
    dynamodb = empty_region.client("dynamodb")
    won: list[int] = []

    def put(number: int) -> None:
        try:
            dynamodb.put_item(
                TableName=table, Item=item("one"), ConditionExpression="attribute_not_exists(p)"
            )
            won.append(number)
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return

    threads = [threading.Thread(target=put, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1


def test_a_long_poll_ends_with_the_message_and_holds_nobody_up(
    empty_region: LocalRegion, bench: Bench
) -> None:
    sqs = empty_region.client("sqs")
    url = sqs.create_queue(QueueName=f"poll-{bench.number}")["QueueUrl"]
    received: list[float] = []

    def poll() -> None:
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
        assert answer["Messages"][0]["Body"] == "hello"
        received.append(time.monotonic())

    thread = threading.Thread(target=poll)
    thread.start()
    empty_region.client("ecs").list_clusters()  # answered while the poll waits
    time.sleep(0.2)  # the poll is waiting by now; if not, the test is only less sharp
    sent = time.monotonic()
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    thread.join(10)

    assert received[0] - sent < 2


def test_a_message_is_not_given_to_a_caller_that_has_gone(empty_region: LocalRegion, bench: Bench) -> None:
    sqs = empty_region.client("sqs")
    url = sqs.create_queue(QueueName=f"gone-{bench.number}")["QueueUrl"]
    source = (
        "import boto3, sys; boto3.client('sqs').receive_message(QueueUrl=sys.argv[1], WaitTimeSeconds=20)"
    )
    with subprocess.Popen([sys.executable, "-c", source, url], env=empty_region.environment) as caller:
        time.sleep(2)  # it waits by now; if it does not, the test is only less sharp
        caller.kill()

    sqs.send_message(QueueUrl=url, MessageBody="hello")

    assert sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2)["Messages"][0]["Body"] == "hello"


@pytest.mark.parametrize(
    ("service", "operation", "call", "code"),
    [
        ("ecs", "ListClusters", {}, "ThrottlingException"),
        ("dynamodb", "ListTables", {}, "ProvisionedThroughputExceededException"),
        ("s3", "ListBuckets", {}, "SlowDown"),
        ("ec2", "DescribeVpcs", {}, "RequestLimitExceeded"),
        ("elbv2", "DescribeLoadBalancers", {}, "ThrottlingException"),
        ("efs", "DescribeFileSystems", {}, "ThrottlingException"),
        ("cloudwatch", "ListMetrics", {}, "ThrottlingException"),
    ],
)
def test_throttling_is_answered_in_each_services_format(
    empty_region: LocalRegion, service: str, operation: str, call: dict[str, str], code: str
) -> None:
    empty_region.fault("api", kind="throttle", service=service, operation=operation, times=1)
    client = empty_region.client(service)
    method = getattr(client, {name: m for m, name in client.meta.method_to_api_mapping.items()}[operation])

    with pytest.raises(ClientError) as refused:
        method(**call)

    assert refused.value.response["Error"]["Code"] == code
    method(**call)


def test_a_delay_and_a_denial(empty_region: LocalRegion) -> None:
    ecs = empty_region.client("ecs")
    empty_region.fault("api", kind="delay", service="ecs", operation="ListClusters", seconds=0.3, times=1)
    started = time.monotonic()
    ecs.list_clusters()
    assert time.monotonic() - started > 0.3

    empty_region.fault("api", kind="deny", service="ecs", operation="ListClusters", times=1)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        ecs.list_clusters()


@pytest.mark.parametrize(("kind", "copies"), [("drop", 0), ("duplicate", 2), ("delay", 1)])
def test_events_are_dropped_duplicated_and_delayed(bench: Bench, kind: str, copies: int) -> None:
    queue = bench.event_queue()
    bench.region.fault("events", kind=kind, last_status="STOPPED", times=1, seconds=0.2)
    task = bench.run(bench.register(bench.program("pass")))
    bench.await_status(task, "STOPPED")

    events = bench.receive(queue) + bench.receive(queue)
    while more := bench.receive(queue):
        events += more

    assert [event["detail"]["lastStatus"] for event in events].count("STOPPED") == copies


def test_controls_need_the_regions_token(empty_region: LocalRegion) -> None:
    url = f"{empty_region.aws_url}/_outpost/control"

    assert httpx.post(url, json={"action": "tasks"}, trust_env=False).status_code == 403
