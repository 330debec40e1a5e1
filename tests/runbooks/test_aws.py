"""The reader on AWS: paged to the end, retried, and every error told apart, over a real HTTP connection."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from outpost.names import Names
from runbooks.aws import ATTEMPTS, AwsReader, Connection
from runbooks.looking import Absent, CouldNotLook, Look
from runbooks.observations import Region
from runbooks.target import Target

Answer = tuple[int, dict[str, Any]]
DENIED = {"__type": "AccessDeniedException", "message": "no"}


class Aws:
    """Answers JSON-protocol calls: `on[operation]` gets the parameters."""

    def __init__(self, tmp: Path) -> None:
        self.on: dict[str, Callable[[dict[str, Any]], Answer]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                operation = self.headers["X-Amz-Target"].rpartition(".")[2]
                parameters = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append((operation, parameters))
                status, document = outer.on[operation](parameters)
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]
        self.config = tmp / "config"
        self.config.write_text(
            f"[profile p]\nregion = us-east-1\nendpoint_url = http://127.0.0.1:{self.port}\n"
        )
        self.credentials = tmp / "credentials"
        self.credentials.write_text("[p]\naws_access_key_id = x\naws_secret_access_key = y\n")

    def connection(self, **more: Any) -> Connection:
        files = {"AWS_CONFIG_FILE": str(self.config), "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials)}
        return Connection(Target(names=Names("dev"), profile="p", environment=files), **more)

    def count(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.asked)


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    started = Aws(tmp_path)
    yield started
    started.server.shutdown()
    started.server.server_close()


def test_101_tasks_are_all_seen(aws: Aws) -> None:
    arns = [f"arn:aws:ecs:us-east-1:1:task/outpost-dev/{number:03}" for number in range(101)]

    def listed(parameters: dict[str, Any]) -> Answer:
        if "nextToken" in parameters:
            return 200, {"taskArns": arns[100:]}
        return 200, {"taskArns": arns[:100], "nextToken": "more"}

    aws.on["ListTasks"] = listed
    aws.on["DescribeTasks"] = lambda p: (
        200,
        {"tasks": [{"taskArn": arn, "containers": []} for arn in p["tasks"]]},
    )
    connection = aws.connection()
    reader = AwsReader(connection)
    region = Region(Look(reader), connection.target)
    assert [task.arn for task in region.containers.in_cluster()] == arns
    assert [len(p["tasks"]) for name, p in aws.asked if name == "DescribeTasks"] == [100, 1]
    assert reader.calls == {"ecs:ListTasks": 2, "ecs:DescribeTasks": 2}
    region.containers.in_cluster()
    assert reader.calls["ecs:ListTasks"] == 2


def test_2500_log_events_are_all_read(aws: Aws) -> None:
    def page(parameters: dict[str, Any]) -> Answer:
        start = int(parameters.get("nextToken") or 0)
        events = [
            {"timestamp": number, "message": f"ERROR {number}", "logStreamName": "s"}
            for number in range(start, min(start + 1000, 2500))
        ]
        more = {"nextToken": str(start + 1000)} if start + 1000 < 2500 else {}
        return 200, {"events": events, **more}

    aws.on["FilterLogEvents"] = page
    connection = aws.connection()
    lines = Region(Look(AwsReader(connection)), connection.target).logs.control_plane()
    assert [line.time for line in lines] == list(range(2500))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("AccessDeniedException", "denied"),
        ("ThrottlingException", "throttled"),
        ("ExpiredTokenException", "refused"),
        ("ServerException", "failed"),
    ],
)
def test_errors_are_told_apart(aws: Aws, code: str, reason: str) -> None:
    aws.on["DescribeClusters"] = lambda p: (400, {"__type": code, "message": "no"})
    with pytest.raises(CouldNotLook) as caught:
        AwsReader(aws.connection()).read("ecs:DescribeClusters", {"clusters": ["x"]})
    assert caught.value.reason == reason
    if reason == "denied":
        assert "ecs:DescribeClusters" in caught.value.permission
    assert aws.count("DescribeClusters") == (ATTEMPTS if reason == "throttled" else 1)


def test_a_throttled_read_that_then_succeeds_is_no_failure(aws: Aws) -> None:
    def once(parameters: dict[str, Any]) -> Answer:
        if aws.count("DescribeClusters") == 1:
            return 400, {"__type": "ThrottlingException", "message": "slow down"}
        return 200, {"clusters": [{"clusterName": "x"}]}

    aws.on["DescribeClusters"] = once
    answer = AwsReader(aws.connection()).read("ecs:DescribeClusters", {"clusters": ["x"]})
    assert answer == {"clusters": [{"clusterName": "x"}]}


def test_what_does_not_exist_is_an_observation(aws: Aws) -> None:
    aws.on["DescribeTaskDefinition"] = lambda p: (
        400,
        {"__type": "ClientException", "message": "Unable to describe"},
    )
    with pytest.raises(Absent):
        AwsReader(aws.connection()).read("ecs:DescribeTaskDefinition", {"taskDefinition": "x"})


def test_a_slow_answer_is_a_time_out(aws: Aws) -> None:
    def slow(parameters: dict[str, Any]) -> Answer:
        time.sleep(0.5)
        return 200, {"clusters": []}

    aws.on["DescribeClusters"] = slow
    with pytest.raises(CouldNotLook) as caught:
        AwsReader(aws.connection(read_timeout=0.1)).read("ecs:DescribeClusters", {"clusters": ["x"]})
    assert caught.value.reason == "timed out"


def test_an_empty_answer_is_not_healthy(aws: Aws) -> None:
    aws.on["DescribeServices"] = lambda p: (200, {"services": []})
    connection = aws.connection()
    with pytest.raises(Absent, match="outpost-control-plane"):
        Region(Look(AwsReader(connection)), connection.target).containers.service()


def test_no_region_and_no_credentials(tmp_path: Path, aws: Aws) -> None:
    aws.server.shutdown()
    aws.server.server_close()
    with pytest.raises(CouldNotLook) as caught:
        AwsReader(aws.connection()).read("ecs:DescribeClusters", {"clusters": ["x"]})
    assert caught.value.reason == "unreachable"
    missing = Connection(Target(names=Names("dev"), profile="nobody", environment={}))
    with pytest.raises(CouldNotLook, match="could not be found"):
        AwsReader(missing).read("sts:GetCallerIdentity", {})
    assert "no endpoint" in missing.where()
