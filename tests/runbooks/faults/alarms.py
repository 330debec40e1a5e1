"""What puts each alarm of the stack into ALARM, by ordinary means, and what takes it out again.

Minutes are let pass by the region's control, so that nobody waits for them. Where `diagnose` has to find
something while the fault is there, `finds` is the cause that it ranks first when asked about the alarm.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from outpost.agents import Agent
from outpost.names import CONTROL_PLANE_FAMILY, family
from runbooks.definitions import registration
from tests.runbooks.faults import (
    agent_no_changes,
    dispatch_stuck_pending,
    efs_mount_failure,
    s3_access_denied,
)
from tests.runbooks.faults.callers import new_key, provision
from tests.runbooks.faults.stack import TENANT, Stack, changed, without_variable


class Watched:
    """The stack and its CloudWatch; `told` is what reached the subscriber of the alarm topic."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.region = stack.region
        self.sqs, self.cloudwatch = stack.client("sqs"), stack.client("cloudwatch")
        self.queue = self.sqs.create_queue(QueueName="on-call")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]
        topics = [each["TopicArn"] for each in stack.client("sns").list_topics()["Topics"]]
        (topic,) = [each for each in topics if each.endswith(stack.names.alarm_topic)]
        stack.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
        self.told: list[str] = []

    def minutes(self, count: int = 1) -> dict[str, str]:
        """Let minutes pass; the states of all alarms."""
        states: dict[str, str] = self.region.fault("minutes", count=count)
        return states

    def listen(self) -> list[str]:
        """All that has been told so far."""
        while found := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self.told.append(message["Body"])
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return self.told

    def measured(self, metric: str, at_least: float, statistic: str = "Sum") -> None:
        """Wait until one of the stack's own metrics has got there: logs are read with a little delay."""

        def look() -> bool:
            now = datetime.now(UTC)
            found = self.cloudwatch.get_metric_statistics(
                Namespace="Outpost", MetricName=metric, Statistics=[statistic], Period=300,
                StartTime=now - timedelta(minutes=4), EndTime=now + timedelta(minutes=1),
            )["Datapoints"]  # fmt: skip
            return any(point[statistic] >= at_least for point in found)

        self.region.wait_for(look, 60, f"{metric} of {at_least}")

    def job(self, identity: str, **attributes: dict[str, str]) -> None:
        """Let a dispatch's record tell something else."""
        for name, value in attributes.items():
            self.stack.client("dynamodb").update_item(
                TableName=self.stack.names.jobs_table,
                Key={"tenantId": {"S": TENANT}, "dispatchId": {"S": identity}},
                UpdateExpression="SET #name = :value",
                ExpressionAttributeNames={"#name": name},
                ExpressionAttributeValues={":value": value},
            )

    def url(self, queue: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=queue)["QueueUrl"])


def earlier(by: timedelta) -> dict[str, str]:
    """A time of the past, as the jobs table has it."""
    return {"S": (datetime.now(UTC) - by).isoformat().replace("+00:00", "Z")}


DEPLOYING = 150.0  # seconds in which a deployment that fails has failed often enough, on a busy machine


@dataclass(frozen=True)
class Scenario:
    """`minutes` have to pass until the alarm is due."""

    inject: Callable[[Watched], None]
    minutes: int = 1
    finds: str = ""


def refused_keys(watched: Watched) -> None:
    key = new_key()
    for _ in range(10):
        assert watched.stack.get("/fleet", X_API_Key=key)[0] == 401
    watched.measured("unauthorized", 10)


def missing_scopes(watched: Watched) -> None:
    key = provision(watched.stack, "reader", ("status",))
    for _ in range(10):
        assert watched.stack.get("/keys", X_API_Key=key)[0] == 403
    watched.measured("forbidden", 10)


def hasty_client(watched: Watched) -> None:
    key = provision(watched.stack, "hastier", ("status",), requestsPerMinute={"N": "1"})
    answers = [watched.stack.get("/fleet", X_API_Key=key)[0] for _ in range(40)]
    assert answers.count(429) >= 20, answers
    watched.measured("client-failing", 20)


def _three(watched: Watched, task: str, status: str, **more: Any) -> None:
    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(lambda _: watched.stack.dispatch(task, **more), range(3)))
    assert [job["status"] for job in ended] == [status] * 3


def failing_agents(watched: Watched) -> None:
    _three(watched, "rehearse: replay model-not-found", "FAILED", model="claude-opus-99")
    watched.measured("agent-fails-immediately", 3)


def agents_without_changes(watched: Watched) -> None:
    recording = agent_no_changes.FAULTS[0].cause.rpartition("/")[2]
    _three(watched, f"rehearse: replay {recording}", "COMPLETED")
    watched.measured("agent-no-changes", 3)


def agents_out_of_time(watched: Watched) -> None:
    """Three that wait for capacity, whose records tell a shorter time than the API takes."""
    with _without_capacity(watched):
        waiting = [_waiting(watched, "rehearse: replay task-too-complex") for _ in range(3)]
        for identity in waiting:
            watched.job(identity, timeoutSeconds={"N": "3"})
    watched.measured("agent-timeout", 3)


def denied_uploads(watched: Watched) -> None:
    s3_access_denied.missing_permission(watched.stack)
    watched.stack.dispatch("Add a line to the notes.")
    watched.measured("s3-access-denied", 1)


def refused_launches(watched: Watched) -> None:
    """A dispatch that has waited for ten minutes, as its record tells, and is refused once more."""
    dispatch_stuck_pending.vcpu_quota_exhausted(watched.stack)
    items = watched.stack.client("dynamodb").scan(TableName=watched.stack.names.jobs_table)["Items"]
    for item in items:
        if item.get("status", {}).get("S") == "PENDING":
            watched.job(item["dispatchId"]["S"], createdAt=earlier(timedelta(minutes=10)))
    watched.measured("DispatchPending", 300, "Maximum")


def _no_control_plane(watched: Watched) -> None:
    stack = watched.stack
    stack.undo.callback(stack.steady)
    stack.undo.callback(stack.update_service, desiredCount=stack.service()["desiredCount"])
    stack.update_service(desiredCount=0)
    watched.region.wait_for(lambda: stack.service()["runningCount"] == 0, 60, "no task")


def nobody_launches(watched: Watched) -> None:
    """There is no control plane, and a message on the launch queue."""
    _no_control_plane(watched)
    url = watched.url(watched.stack.names.launch_queue)
    watched.stack.undo.callback(watched.sqs.purge_queue, QueueUrl=url)
    watched.sqs.send_message(QueueUrl=url, MessageBody="{}")


def _dead_letter(queue: str) -> Callable[[Watched], None]:
    def inject(watched: Watched) -> None:
        url = watched.url(getattr(watched.stack.names, queue))
        watched.stack.undo.callback(watched.sqs.purge_queue, QueueUrl=url)
        watched.sqs.send_message(QueueUrl=url, MessageBody="{}")

    return inject


def throttled_table(watched: Watched) -> None:
    """Reads are throttled in two minutes that follow each other."""
    dynamodb, table = watched.stack.client("dynamodb"), watched.stack.names.jobs_table
    watched.stack.undo.callback(watched.region.fault, "clear")
    for place in range(2):
        watched.region.fault("api", kind="throttle", service="dynamodb", operation="Scan", times=1)
        with contextlib.suppress(ClientError):
            dynamodb.scan(TableName=table)
        if not place:
            watched.minutes()


def slow_table(watched: Watched) -> None:
    """Every read of the jobs table takes longer than the API should, for five minutes."""
    watched.stack.undo.callback(watched.region.fault, "clear")
    watched.region.fault(
        "api", kind="delay", service="dynamodb", operation="Query", callers="tasks", seconds=0.7
    )
    for place in range(5):
        assert watched.stack.get("/dispatch")[0] == 200
        if place < 4:
            watched.minutes()


@contextlib.contextmanager
def _without_capacity(watched: Watched) -> Iterator[None]:
    watched.stack.undo.callback(watched.region.fault, "capacity", available=True)
    watched.region.fault("capacity", available=False)
    yield
    watched.region.fault("capacity", available=True)


def _waiting(watched: Watched, task: str) -> str:
    """A dispatch that waits, with the reason in its record."""
    stack = watched.stack
    identity: str = stack.dispatch(task, ends=False)["dispatchId"]

    def waits() -> bool:
        key = {"tenantId": {"S": TENANT}, "dispatchId": {"S": identity}}
        item = stack.client("dynamodb").get_item(TableName=stack.names.jobs_table, Key=key)["Item"]
        return "waitingReason" in item or item["status"]["S"] == "PENDING"

    watched.region.wait_for(waits, 30, "a waiting reason")
    return identity


def _late_start(watched: Watched) -> None:
    """A dispatch that starts forty seconds after it was accepted, as its record tells."""
    with _without_capacity(watched):
        identity = _waiting(watched, "Say hello.")
        watched.job(identity, createdAt=earlier(timedelta(seconds=40)))
    watched.region.wait_for(lambda: watched.stack.ended(identity), 60, "its end")
    watched.measured("DispatchStartLatency", 30, "Maximum")


def late_starts(watched: Watched) -> None:
    """Twice within half an hour the first dispatch after a pause starts late."""
    _late_start(watched)
    watched.minutes(10)
    _late_start(watched)


def memory_nearly_used(watched: Watched) -> None:
    """What ECS would report of a control plane that needs more and more."""
    for place in range(3):
        watched.cloudwatch.put_metric_data(
            Namespace="AWS/ECS",
            MetricData=[
                {
                    "MetricName": "MemoryUtilization",
                    "Value": 96.0,
                    "Dimensions": [
                        {"Name": "ClusterName", "Value": watched.stack.names.cluster},
                        {"Name": "ServiceName", "Value": "outpost-control-plane"},
                    ],
                }
            ],
        )
        if place < 2:
            watched.minutes()


def killed_for_its_memory(watched: Watched) -> None:
    watched.stack.undo.callback(watched.stack.steady)
    watched.region.fault("oom", task=CONTROL_PLANE_FAMILY)
    watched.stack.stopped_with(137)


def _deploys_without_a_variable(watched: Watched) -> None:
    definition = watched.stack.definition()
    watched.stack.deploy(changed(definition, environment=without_variable(definition, "JOBS_TABLE")))


def failing_deployment(watched: Watched) -> None:
    _deploys_without_a_variable(watched)

    def rolled_back() -> bool:
        return any("rolling back" in str(each) for each in watched.stack.service()["events"])

    watched.region.wait_for(rolled_back, DEPLOYING, "the roll-back")


def mount_failure(watched: Watched) -> None:
    """A task that mounts the workspaces' file system, while NFS is blocked."""
    stack = watched.stack
    efs_mount_failure.nfs_blocked(stack)
    definition = stack.definition(family(Agent.CLAUDE))
    volume = {"name": "w", "efsVolumeConfiguration": {"fileSystemId": efs_mount_failure._file_system(stack)}}
    mounts = [{"sourceVolume": "w", "containerPath": "/workspace"}]
    parameters = registration(
        definition, volumes=[volume], containerDefinitions=[definition.container | {"mountPoints": mounts}]
    ) | {"family": "mounting"}
    ecs, environment = stack.client("ecs"), stack.definition().environment
    arn = ecs.register_task_definition(**parameters)["taskDefinition"]["taskDefinitionArn"]
    network = {
        "subnets": environment["WORKER_SUBNETS"].split(","),
        "securityGroups": [environment["WORKER_SECURITY_GROUP"]],
    }
    ecs.run_task(
        cluster=stack.names.cluster,
        taskDefinition=arn,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": network},
    )
    stack.stopped(family="mounting")


def no_gateway(watched: Watched) -> None:
    _no_control_plane(watched)
    for _ in range(10):
        assert watched.stack.get("/health")[0] == 503


SCENARIOS: dict[str, Scenario] = {
    "health-check-failing": Scenario(_no_control_plane, minutes=2),
    "gateway-errors": Scenario(no_gateway),
    "deployment-failed": Scenario(failing_deployment, minutes=0),
    "control-plane-not-starting": Scenario(killed_for_its_memory, minutes=0),
    "slow-responses": Scenario(slow_table),
    "dispatch-stuck-pending": Scenario(refused_launches, finds="dispatch-stuck-pending/vcpu-quota-exhausted"),
    "launch-queue-age": Scenario(nobody_launches, minutes=7),
    "launch-dead-letters": Scenario(_dead_letter("launch_dead_letter_queue")),
    "event-dead-letters": Scenario(_dead_letter("events_dead_letter_queue")),
    "agent-fails-immediately": Scenario(failing_agents, finds="agent-fails-immediately/model-not-found"),
    "agent-timeout": Scenario(agents_out_of_time, finds="agent-timeout/task-too-complex"),
    "agent-no-changes": Scenario(agents_without_changes, finds="agent-no-changes/task-misunderstood"),
    "unauthorized": Scenario(refused_keys, finds="unauthorized/key-not-found"),
    "forbidden": Scenario(missing_scopes, finds="forbidden/missing-admin-scope"),
    "dynamodb-throttling": Scenario(throttled_table),
    "s3-access-denied": Scenario(denied_uploads, finds="s3-access-denied/missing-permission"),
    "efs-mount-failure": Scenario(mount_failure, minutes=0, finds="efs-mount-failure/nfs-blocked"),
    "high-cold-start": Scenario(late_starts),
    "memory-pressure": Scenario(memory_nearly_used),
    "out-of-memory": Scenario(killed_for_its_memory, minutes=0),
    "client-failing": Scenario(hasty_client, finds="client-failing/rate-limited"),
}


@contextlib.contextmanager
def happening(watched: Watched, scenario: Scenario) -> Iterator[None]:
    """The fault, and afterwards the stack as it was."""
    with contextlib.ExitStack() as undo:
        watched.stack.undo = undo
        try:
            scenario.inject(watched)
            yield
        finally:
            undo.callback(watched.stack.forget_stopped)
