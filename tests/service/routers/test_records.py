"""The audit trail and webhooks over HTTP."""

import contextlib
import hashlib
import hmac
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from starlette.testclient import TestClient

from service import outbound
from tests.service.harness import OneAtATime, World, make_world

BODY = {"agent": "claude", "task": "x"}


@dataclass
class Receiver:
    """A tenant's endpoint: remembers what it got and answers as it is told."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append((dict(self.headers.items()), body))
            self.send_response(found.statuses.pop(0) if found.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}/hook"
    yield found
    server.shutdown()


@pytest.fixture
def local(aws: tuple[str, OneAtATime]) -> World:
    """A stack that may call this machine."""
    return make_world(*aws, local_region=True)


def test_a_webhook_is_signed_retried_and_logged(local: World, receiver: Receiver) -> None:
    receiver.statuses = [503, 302]
    with local.http() as http:
        key = {"X-API-Key": local.key()}
        dispatch_id = http.post("/dispatch", json={**BODY, "webhookUrl": receiver.url}, headers=key).json()[
            "dispatchId"
        ]
        http.delete(f"/dispatch/{dispatch_id}", headers=key)
        local.services.notifying.close()  # the first try is over
        for _ in range(2):  # the others are the reconciler's
            local.services.notifying.deliver(local.services.dispatches.fresh("acme", dispatch_id))
        secret = http.get("/webhooks/secret", headers=key).json()["secret"]
        tries = http.get(f"/dispatch/{dispatch_id}/deliveries", headers=key).json()["deliveries"]
    assert [(each["status"], each["delivered"]) for each in tries] == [
        (503, False),
        (302, False),
        (200, True),
    ]
    headers, body = receiver.got[-1]
    assert json.loads(body)["status"] == "CANCELLED"
    assert {each[1] for each in receiver.got} == {body}, "every try is the same event"
    moment, signature = (part.partition("=")[2] for part in headers["Outpost-Signature"].split(","))
    expected = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signature, expected)
    job = local.services.dispatches.fresh("acme", dispatch_id)
    assert job.deadline_at is None, "delivered: nothing is due any more"


def test_a_delivery_that_failed_stays_due(local: World, receiver: Receiver) -> None:
    receiver.statuses = [500]
    with local.http() as http:
        key = {"X-API-Key": local.key()}
        made = http.post("/dispatch", json={**BODY, "webhookUrl": receiver.url}, headers=key).json()
        http.delete(f"/dispatch/{made['dispatchId']}", headers=key)
    local.services.notifying.close()
    job = local.services.dispatches.fresh("acme", made["dispatchId"])
    assert job.status.value == "CANCELLED"
    assert job.deadline_at is not None


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/",
        "https://[::1]/",
        "http://a/",
        "https://[::ffff:169.254.169.254]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[2002:a9fe:a9fe::1]/",
        "https://224.0.0.1/",
        "https://2130706433/",
        "https://a..b/",
        f"https://{'a' * 64}.com/",
    ],
)
def test_nothing_inside_is_called(url: str) -> None:
    with pytest.raises(outbound.ForbiddenAddressError):
        outbound.post(url, b"", {}, local=False)


def test_a_webhook_to_no_host_name_is_tried_and_given_up_like_any_other(
    world: World, http: TestClient
) -> None:
    key = {"X-API-Key": world.key()}
    made = http.post("/dispatch", json={**BODY, "webhookUrl": "https://a..b/"}, headers=key).json()
    http.delete(f"/dispatch/{made['dispatchId']}", headers=key)
    world.services.notifying.close()
    tries = http.get(f"/dispatch/{made['dispatchId']}/deliveries", headers=key).json()["deliveries"]
    assert [each["error"] for each in tries] == ["a..b is not a host name"]


def test_an_answer_that_drips_does_not_hold_a_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "WHOLE", 0.3)
    done = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            while not done.wait(0.05):
                connection.sendall(b"H")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        begun = time.monotonic()
        with pytest.raises((OSError, http.client.HTTPException)):
            outbound.post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"", {}, local=True)
        took = time.monotonic() - begun
        done.set()
        thread.join()
    assert took < 3


def test_a_key_in_a_path_is_not_in_the_trail(world: World, http: TestClient) -> None:
    key = world.key()
    http.get(f"/keys/{key}", headers={"X-API-Key": key})
    world.services.audit.flush()
    trail = http.get("/audit", headers={"X-API-Key": key}).text
    assert "/keys/[redacted]" in trail
    assert key not in trail


@pytest.mark.parametrize("url", ["http://example.com/", "https://u:p@example.com/", "ftp://x/", "https://"])
def test_only_https_urls_without_credentials_are_taken(world: World, http: TestClient, url: str) -> None:
    answer = http.post("/dispatch", json={**BODY, "webhookUrl": url}, headers={"X-API-Key": world.key()})
    assert answer.status_code == 422


def test_every_call_is_in_the_tenants_trail_and_in_no_others(world: World, http: TestClient) -> None:
    key, other = {"X-API-Key": world.key("acme")}, {"X-API-Key": world.key("rival")}
    dispatch_id = http.post("/dispatch", json=BODY, headers=key).json()["dispatchId"]
    http.get(f"/dispatch/{dispatch_id}", headers=key)
    http.get(f"/dispatch/{dispatch_id}", headers=other)
    http.get("/webhooks/secret", headers=key)
    assert world.services.audit.flush() == 5
    trail = http.get("/audit", params={"limit": 3}, headers=key).json()
    rest = http.get("/audit", params={"limit": 3, "cursor": trail["cursor"]}, headers=key).json()
    actions = [each["action"] for each in (*trail["entries"], *rest["entries"])]
    assert sorted(actions) == [
        "GET /dispatch/{dispatch_id}",
        "GET /webhooks/secret",
        "POST /dispatch",
        "secret webhook-signing",
    ]
    theirs = http.get("/audit", headers=other).json()["entries"]
    assert [(each["action"], each["status"]) for each in theirs] == [("GET /dispatch/{dispatch_id}", 404)]


def test_findings_are_what_was_published_without_the_evidence(world: World, http: TestClient) -> None:
    key = {"X-API-Key": world.key()}
    assert http.get("/findings", headers=key).json()["code"] == "no-findings"
    finding = {
        "issue": "efs-mount-failure",
        "cause": "nfs-blocked",
        "verdict": "FAIL",
        "rank": 1,
        "title": "t",
        "solution": "s",
        "explains": [],
        "summary": "names a dispatch",
        "evidence": [{"saw": "x"}],
    }
    report = {"schemaVersion": 1, "stack": "dev", "verdict": "failing", "checked": 59, "publishedAt": "now"}
    world.boto("s3").put_object(
        Bucket=world.settings.artifacts_bucket,
        Key="findings/latest.json",
        Body=json.dumps(report | {"findings": [finding]}),
    )
    shown = http.get("/findings", headers=key).json()
    assert shown["verdict"] == "failing"
    assert shown["findings"][0]["cause"] == "nfs-blocked"
    assert not {"summary", "evidence"} & set(shown["findings"][0])
