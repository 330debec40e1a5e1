"""The life of a dispatch over HTTP, the launcher, the events and the reconciler, on the embedded AWS."""

import hashlib
import json
from typing import Any

import boto3
import pytest
from starlette.testclient import TestClient

from service.app import application, build
from service.domain.times import iso
from tests.service.documented import DocumentedClient
from tests.service.harness import World

BODY = {"agent": "claude", "task": "add a README", "repository": "acme/site", "timeoutSeconds": 60}


@pytest.fixture
def cluster(world: World) -> World:
    """A cluster with the agent's task definition, and a network that moto knows."""
    ecs = world.boto("ecs")
    ecs.create_cluster(clusterName=world.settings.cluster)
    ecs.register_task_definition(
        family="outpost-claude",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="2048",
        memory="8192",
        containerDefinitions=[{"name": "worker", "image": "outpost-claude", "cpu": 2048, "memory": 8192}],
    )
    return world


def launch(world: World) -> None:
    world.services.launcher.pull(0)
    assert world.services.launcher.launch_next(0, lambda _: None)


def token_of(world: World, dispatch: dict[str, Any]) -> dict[str, str]:
    """What the task was given in its overrides."""
    task = world.boto("ecs").describe_tasks(cluster=world.settings.cluster, tasks=[dispatch["taskArn"]])[
        "tasks"
    ][0]
    environment = task["overrides"]["containerOverrides"][0]["environment"]
    values = {each["name"]: each["value"] for each in environment}
    assert set(values) == {"OUTPOST_DISPATCH_ID", "OUTPOST_ATTEMPT", "OUTPOST_WORKER_TOKEN"}
    return {"Authorization": f"Bearer {values['OUTPOST_WORKER_TOKEN']}"}


def stopped(world: World, dispatch: dict[str, Any], exit_code: int | None, **detail: str) -> None:
    """What EventBridge puts into the queue when the task stops, handled."""
    container = {"name": "worker"} | ({} if exit_code is None else {"exitCode": exit_code})
    event = {
        "detail-type": "ECS Task State Change",
        "detail": {
            "taskArn": dispatch["taskArn"],
            "lastStatus": "STOPPED",
            "startedBy": f"outpost/acme/{dispatch['dispatchId']}/{dispatch['attempt']}",
            "version": 5,
            "containers": [container],
            **detail,
        },
    }
    world.boto("sqs").send_message(QueueUrl=world.settings.events_queue_url, MessageBody=json.dumps(event))
    assert world.services.follower.step(0) == 1


def test_from_post_to_completed(cluster: World, http: TestClient) -> None:
    world, key = cluster, {"X-API-Key": cluster.key()}
    dispatch_id = http.post("/dispatch", json=BODY, headers=key).json()["dispatchId"]

    def shown() -> dict[str, Any]:
        return http.get(f"/dispatch/{dispatch_id}", headers=key).json()

    launch(world)
    provisioning = shown()
    assert provisioning["status"] == "PROVISIONING"
    worker = token_of(world, provisioning)

    before = len(world.aws.calls)
    assignment = http.post("/worker/claim", json={}, headers=worker).json()
    assert world.aws.calls[before:] == ["BatchGetItem", "UpdateItem"]
    assert assignment["task"] == BODY["task"]
    assert assignment["gitToken"] is None
    assert shown()["status"] == "RUNNING"
    # A repeated claim of the same attempt gives the same assignment.
    assert http.post("/worker/claim", json={}, headers=worker).json() == assignment

    data = b"a patch"
    file = {"name": "changes.patch", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    upload = http.post("/worker/uploads", json={"files": [file]}, headers=worker).json()["uploads"][0]
    assert f"/{dispatch_id}/changes.patch?" in upload["url"]
    world.boto("s3").put_object(
        Bucket=world.settings.artifacts_bucket, Key=f"{dispatch_id}/changes.patch", Body=data
    )
    result = {"exitCode": 0, "summary": "done", "changes": {"files": 1, "insertions": 2, "deletions": 0}}
    ended = http.post("/worker/result", json=result | {"artifacts": [file]}, headers=worker)
    assert ended.json() == {"status": "COMPLETED"}
    assert http.post("/worker/result", json=result, headers=worker).json() == {"status": "COMPLETED"}
    stopped(world, provisioning, 0)

    # Ended and seen: no read at all, for this replica.
    assert world.calls_of(shown) == []
    done = shown()
    assert done["changes"] == {"files": 1, "insertions": 2, "deletions": 0}
    artifact = http.get(f"/dispatch/{dispatch_id}/artifacts", headers=key).json()["artifacts"][0]
    assert artifact["name"] == "changes.patch"
    assert artifact["sha256"] == file["sha256"]
    assert http.post("/worker/claim", json={}, headers=worker).status_code == 409
    assert http.delete(f"/dispatch/{dispatch_id}", headers=key).status_code == 409


def test_a_container_that_never_started_is_launched_again_and_the_old_attempt_fenced(
    cluster: World, http: TestClient
) -> None:
    world, key = cluster, {"X-API-Key": cluster.key()}
    dispatch_id = http.post("/dispatch", json=BODY, headers=key).json()["dispatchId"]
    launch(world)
    first = http.get(f"/dispatch/{dispatch_id}", headers=key).json()
    old = token_of(world, first)
    reason = "CannotPullContainerError: pull image manifest has been retried 5 time(s)"
    stopped(world, first, None, stopCode="TaskFailedToStart", stoppedReason=reason)
    waiting = http.get(f"/dispatch/{dispatch_id}", headers=key).json()
    assert waiting["status"] == "PENDING"
    assert waiting["waitingReason"]["summary"]
    assert http.post("/worker/claim", json={}, headers=old).status_code == 409


def test_a_death_is_explained_in_the_guides_terms(cluster: World, http: TestClient) -> None:
    world, key = cluster, {"X-API-Key": cluster.key()}
    dispatch_id = http.post("/dispatch", json=BODY, headers=key).json()["dispatchId"]
    launch(world)
    dispatch = http.get(f"/dispatch/{dispatch_id}", headers=key).json()
    stream = f"worker/worker/{dispatch['taskArn'].rpartition('/')[2]}"
    logs = world.boto("logs")
    logs.create_log_group(logGroupName="/ecs/outpost-claude")
    logs.create_log_stream(logGroupName="/ecs/outpost-claude", logStreamName=stream)
    line = json.dumps(
        {"time": "2026-01-14T09:30:00Z", "level": "error", "message": "ANTHROPIC_API_KEY not set"}
    )
    moment = int(world.services.clock() * 1000)
    logs.put_log_events(
        logGroupName="/ecs/outpost-claude",
        logStreamName=stream,
        logEvents=[{"timestamp": moment, "message": line}],
    )
    stopped(
        world, dispatch, 1, stopCode="EssentialContainerExited", stoppedReason="Essential container exited"
    )
    ended = http.get(f"/dispatch/{dispatch_id}", headers=key).json()
    assert ended["status"] == "FAILED"
    assert ended["exitCode"] == 1
    assert ended["reason"]["runbook"] == "agent-fails-immediately/api-key-missing"
    stored = world.boto("dynamodb").get_item(
        TableName=world.settings.jobs_table,
        Key={"tenantId": {"S": "acme"}, "dispatchId": {"S": dispatch_id}},
    )["Item"]
    assert stored["stoppedEvidence"]["M"]["stopCode"] == {"S": "EssentialContainerExited"}
    assert "deadlineShard" not in stored, "an ended dispatch is in no index of deadlines"
    page = http.get(f"/dispatch/{dispatch_id}/logs", headers=key).json()
    assert [each["message"] for each in page["lines"]] == ["ANTHROPIC_API_KEY not set"]


def test_a_missing_task_definition_keeps_it_waiting_with_the_reason(world: World, http: TestClient) -> None:
    key = {"X-API-Key": world.key()}
    world.boto("ecs").create_cluster(clusterName=world.settings.cluster)
    body = BODY | {"agent": "grok"}
    dispatch_id = http.post("/dispatch", json=body, headers=key).json()["dispatchId"]
    launch(world)
    waiting = http.get(f"/dispatch/{dispatch_id}", headers=key).json()
    assert waiting["status"] == "PENDING"
    assert waiting["waitingReason"]["runbook"] == "dispatch-stuck-pending/task-definition-missing"


def test_cancelling_a_running_one_stops_its_task_and_waits_for_the_proof(
    cluster: World, http: TestClient
) -> None:
    world, key = cluster, {"X-API-Key": cluster.key()}
    dispatch_id = http.post("/dispatch", json=BODY, headers=key).json()["dispatchId"]
    launch(world)
    dispatch = http.get(f"/dispatch/{dispatch_id}", headers=key).json()
    cancelling = http.delete(f"/dispatch/{dispatch_id}", headers=key)
    assert cancelling.json()["status"] == "CANCELLING"
    task = world.boto("ecs").describe_tasks(cluster=world.settings.cluster, tasks=[dispatch["taskArn"]])[
        "tasks"
    ][0]
    assert task["desiredStatus"] == "STOPPED"
    stopped(world, dispatch, 143, stopCode="UserInitiated")
    assert http.get(f"/dispatch/{dispatch_id}", headers=key).json()["status"] == "CANCELLED"


def test_what_waits_shows_its_place_and_a_lost_message_is_made_up_for(
    cluster: World, http: TestClient
) -> None:
    world, key = cluster, {"X-API-Key": cluster.key()}
    ids = [http.post("/dispatch", json=BODY, headers=key).json()["dispatchId"] for _ in range(3)]
    world.services.launcher.pull(0)
    places = [http.get(f"/dispatch/{each}", headers=key).json()["queue"] for each in ids]
    assert sorted(place["position"] for place in places) == [1, 2, 3]
    assert {place["of"] for place in places} == {3}
    # Another replica knows it too, from what this one told; and it still costs one read.
    other = build(world.settings, world.clients)
    for each in (world.services, other):
        each.board.exchange()
    with DocumentedClient(application(other)) as client:
        client.get("/fleet", headers=key)
        calls = world.calls_of(lambda: client.get(f"/dispatch/{ids[2]}", headers=key))
        shown = client.get(f"/dispatch/{ids[2]}", headers=key).json()
    assert calls == ["GetItem"]
    assert shown["queue"]["position"] == places[2]["position"]
    assert shown["waitingReason"]["code"] == "queued"
    world.boto("sqs").purge_queue(QueueUrl=world.settings.launch_queue_url)
    dynamodb = boto3.resource(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url=world.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    ).Table(world.settings.jobs_table)
    # Let two minutes pass for one of them, in which the queue was read to its end.
    world.services.launcher.pull(0)
    now = world.services.clock()
    dynamodb.update_item(
        Key={"tenantId": "acme", "dispatchId": ids[0]},
        UpdateExpression="SET deadlineAt = :past, createdAt = :then, queuedAt = :queued",
        ExpressionAttributeValues={":past": 1, ":then": iso(now - 120), ":queued": int(now - 120)},
    )
    assert world.services.reconciler.sweep_deadlines() == 1
    messages = world.boto("sqs").receive_message(QueueUrl=world.settings.launch_queue_url)["Messages"]
    assert [json.loads(each["Body"])["dispatchId"] for each in messages] == [ids[0]]


@pytest.mark.parametrize(
    "report",
    [
        {"changes": {"files": 10**50}},
        {"artifacts": [{"name": "output.log", "size": 10**50, "sha256": "0" * 64}]},
        {"summary": "\ud800"},
    ],
)
def test_a_report_that_could_not_be_stored_is_refused(
    cluster: World, http: TestClient, report: dict[str, Any]
) -> None:
    """DynamoDB takes numbers of 38 digits; its refusal would read as an outage, and be tried again."""
    key = {"X-API-Key": cluster.key()}
    dispatch_id = http.post("/dispatch", json=BODY, headers=key).json()["dispatchId"]
    launch(cluster)
    worker = token_of(cluster, http.get(f"/dispatch/{dispatch_id}", headers=key).json())
    http.post("/worker/claim", json={}, headers=worker)
    answer = http.post("/worker/result", content=json.dumps({"exitCode": 0, **report}), headers=worker)
    assert answer.status_code == 422, answer.text
    assert http.post("/worker/result", json={"exitCode": 0}, headers=worker).json() == {"status": "COMPLETED"}
