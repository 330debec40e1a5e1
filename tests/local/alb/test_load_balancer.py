"""The load balancer: what it forwards, and how it answers when it cannot."""

import time

import httpx
import pytest

from local.alb.forward import refusal
from tests.local.web import Web

pytestmark = pytest.mark.region


def test_requests_reach_a_healthy_target_with_the_clients_address(web: Web) -> None:
    web.await_rollout()

    assert web.get("/some/path?q=1").text == repr(("one", "/some/path?q=1", "127.0.0.1"))
    assert [each["State"] for each in web.health()] == ["healthy"]


def test_a_body_goes_through(web: Web) -> None:
    web.await_rollout()
    body = b"x" * 300_000

    answer = httpx.post(web.region.api_url, content=body, trust_env=False)

    assert (answer.status_code, answer.content) == (201, body)


def test_a_body_of_unknown_length_goes_through(web: Web) -> None:
    web.await_rollout()

    answer = httpx.post(web.region.api_url, content=iter([b"x" * 1000] * 300), trust_env=False)

    assert (answer.status_code, answer.content) == (201, b"x" * 300_000)


def test_an_answer_given_before_the_body_was_read_is_passed_on(web: Web) -> None:
    web.await_rollout()

    for _ in range(5):
        answer = httpx.put(web.region.api_url, content=b"x" * 5_000_000, trust_env=False)
        assert (answer.status_code, answer.text) == (413, "too large")


def test_a_stream_is_passed_on_while_it_is_written(web: Web) -> None:
    web.await_rollout()
    arrivals = []
    with httpx.stream("GET", f"{web.region.api_url}/stream", trust_env=False) as answer:
        for line in answer.iter_lines():
            arrivals.append((line, time.monotonic()))

    assert [line for line, _ in arrivals] == ["0", "1", "2"]
    assert arrivals[-1][1] - arrivals[0][1] > 0.4


def test_a_client_that_leaves_a_quiet_stream_is_seen_to_leave(web: Web) -> None:
    web.await_rollout()
    with httpx.stream("GET", f"{web.region.api_url}/quiet", trust_env=False) as answer:
        assert answer.status_code == 200
        assert web.get("/left").status_code == 404

    web.region.wait_for(lambda: web.get("/left").status_code == 200, timeout=10)


def test_without_targets_it_answers_503(web: Web) -> None:
    web.await_rollout()
    web.update(desiredCount=0)
    web.region.wait_for(lambda: web.get().status_code == 503)

    answer = web.get()
    assert answer.headers["server"] == "awselb/2.0"
    assert "503 Service Temporarily Unavailable" in answer.text


def test_a_closed_port_makes_the_target_unhealthy_and_the_answer_502(web: Web) -> None:
    web.await_rollout()
    web.update(desiredCount=0)
    web.region.wait_for(lambda: not web.tasks)
    web.elb.register_targets(TargetGroupArn=web.group, Targets=[{"Id": "10.0.10.250", "Port": 8080}])

    web.region.wait_for(lambda: [each["State"] for each in web.health()] == ["unhealthy"])

    assert web.health()[0]["Reason"] == "Target.FailedHealthChecks"
    assert web.get().status_code == 502


def test_its_errors_are_counted_in_cloudwatch(web: Web) -> None:
    web.await_rollout()
    web.update(desiredCount=0)
    web.region.wait_for(lambda: web.get().status_code == 503)
    now = time.time()

    statistics = web.region.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_ELB_5XX_Count",
        Dimensions=[{"Name": "LoadBalancer", "Value": web.balancer.split("loadbalancer/")[1]}],
        StartTime=now - 300,
        EndTime=now + 60,
        Period=60,
        Statistics=["Sum"],
    )

    assert sum(point["Sum"] for point in statistics["Datapoints"]) >= 1


def scope(
    path: str = "/", headers: int | list[tuple[bytes, bytes]] = 0, **fields: object
) -> dict[str, object]:
    given = headers
    if isinstance(headers, int):
        given = [(b"host", b"api.example.com"), *[(b"x-%d" % n, b"y" * 8192) for n in range(headers)]]
    request = {"method": "GET", "raw_path": path.encode(), "query_string": b"", "http_version": "1.1"}
    return {**request, "headers": given, **fields}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (scope(), None),
        (scope("/" + "x" * 16_000), None),
        (scope("/" + "x" * 16_384), 414),
        (scope(headers=7), None),
        (scope(headers=8), 400),
        (scope(headers=[(b"host", b"a"), (b"cookie", b"c" * 16_384)]), 400),
        (scope(headers=[]), 400),
        (scope(headers=[], http_version="1.0"), None),
    ],
)
def test_what_the_load_balancer_itself_refuses(request_: dict[str, object], status: int | None) -> None:
    found = refusal(request_)
    assert (found[0] if found else None) == status
