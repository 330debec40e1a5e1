"""A task's life, as ECS, EventBridge and CloudWatch Logs tell it."""

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.local.bench import EVERYTHING, Bench

pytestmark = pytest.mark.region


def test_a_task_runs_from_its_definition_and_reports_its_exit_code(bench: Bench) -> None:
    image = bench.program("import os; print('hello', os.environ['WHO']); raise SystemExit(3)")
    family = bench.register(image, environment=[{"name": "WHO", "value": "nobody"}])
    override = {"name": "main", "environment": [{"name": "WHO", "value": "outpost"}]}

    task = bench.run(family, overrides={"containerOverrides": [override]}, startedBy="outpost/t/d/1")
    ended = bench.await_status(task, "STOPPED")

    assert ended["stopCode"] == "EssentialContainerExited"
    assert ended["stoppedReason"] == "Essential container in task exited"
    assert ended["containers"][0]["exitCode"] == 3
    assert ended["startedBy"] == "outpost/t/d/1"
    assert ended["createdAt"] <= ended["startedAt"] <= ended["stoppingAt"] <= ended["stoppedAt"]
    assert bench.log(task) == ["hello outpost"]


def test_events_tell_every_state_in_the_order_of_their_versions(bench: Bench) -> None:
    queue = bench.event_queue()
    task = bench.run(bench.register(bench.program("pass")))
    bench.await_status(task, "STOPPED")

    events = []
    while not events or events[-1]["detail"]["lastStatus"] != "STOPPED":
        events += bench.receive(queue)

    versions = [event["detail"]["version"] for event in events]
    assert versions == sorted(set(versions))
    states = [event["detail"]["lastStatus"] for event in events]
    assert states[0] == "PROVISIONING"
    assert [state for state in states if state in {"PENDING", "RUNNING", "STOPPED"}] == [
        "PENDING",
        "RUNNING",
        "STOPPED",
    ]
    last = events[-1]
    assert last["source"] == "aws.ecs"
    assert last["resources"] == [task]
    assert last["detail"]["containers"][0]["exitCode"] == 0


def test_stop_task_gives_the_program_its_stop_timeout(bench: Bench) -> None:
    image = bench.program(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('told', flush=True), sys.exit(0)))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    task = bench.run(bench.register(image))
    bench.await_status(task, "RUNNING")
    bench.region.wait_for(lambda: bench.log(task))

    bench.region.client("ecs").stop_task(cluster=bench.cluster, task=task, reason="enough")
    ended = bench.await_status(task, "STOPPED")

    assert ended["stopCode"] == "UserInitiated"
    assert ended["stoppedReason"] == "enough"
    assert ended["containers"][0]["exitCode"] == 0
    assert bench.log(task) == ["ready", "told"]


def test_a_program_that_ignores_sigterm_is_killed(bench: Bench) -> None:
    image = bench.program(
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    task = bench.run(bench.register(image, stopTimeout=1))
    bench.await_status(task, "RUNNING")
    bench.region.wait_for(lambda: bench.log(task))

    bench.region.client("ecs").stop_task(cluster=bench.cluster, task=task)

    assert bench.await_status(task, "STOPPED")["containers"][0]["exitCode"] == 137


def test_nothing_that_a_container_started_outlives_it(bench: Bench) -> None:
    image = bench.program(
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        "print(child.pid, flush=True)"
    )
    task = bench.run(bench.register(image))
    bench.await_status(task, "STOPPED")

    assert not psutil.pid_exists(int(bench.log(task)[0]))


def test_a_container_beyond_its_memory_is_killed_as_out_of_memory(bench: Bench) -> None:
    image = bench.program(
        "data = bytearray(700 * 1024 * 1024); print(len(data), flush=True); import time; time.sleep(60)"
    )
    task = bench.run(bench.register(image))

    container = bench.await_status(task, "STOPPED")["containers"][0]

    assert container["exitCode"] == 137
    assert container["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_a_task_role_gives_credentials_and_no_role_gives_none(bench: Bench) -> None:
    source = (
        "import boto3\n"
        "try: print(boto3.client('sts').get_caller_identity()['Arn'])\n"
        "except Exception as error: print(type(error).__name__)"
    )
    role = bench.make_role(f"task-{bench.number}", EVERYTHING)
    with_role = bench.run(bench.register(bench.program(source), task_taskRoleArn=role))
    without = bench.run(bench.register(bench.program(source)))
    for task in (with_role, without):
        bench.await_status(task, "STOPPED")

    assert f"assumed-role/task-{bench.number}/{with_role.rsplit('/', 1)[-1]}" in bench.log(with_role)[0]
    assert bench.log(without) == ["NoCredentialsError"]


def test_stopped_tasks_are_forgotten(bench: Bench) -> None:
    task = bench.run(bench.register(bench.program("pass")))
    bench.await_status(task, "STOPPED")
    bench.region.fault("forget-after", seconds=0)
    try:
        answer = bench.region.client("ecs").describe_tasks(cluster=bench.cluster, tasks=[task])
    finally:
        bench.region.fault("forget-after", seconds=3600)

    assert answer["tasks"] == []
    assert answer["failures"] == [{"arn": task, "reason": "MISSING"}]


def test_two_tasks_listen_on_the_same_port(bench: Bench) -> None:
    source = (
        "import os, socket, time\n"
        "server = socket.create_server((os.environ['HOST'], 8080))\n"
        "print('listening', flush=True); time.sleep(60)"
    )
    family = bench.register(bench.program(source))
    tasks = [bench.run(family), bench.run(family)]

    for task in tasks:
        assert bench.region.wait_for(lambda task=task: bench.log(task)) == ["listening"]
    for task in tasks:
        bench.region.client("ecs").stop_task(cluster=bench.cluster, task=task)


def test_stop_task_of_an_unknown_task_is_refused(bench: Bench) -> None:
    with pytest.raises(ClientError, match="The referenced task was not found"):
        bench.region.client("ecs").stop_task(cluster=bench.cluster, task="0" * 32)
