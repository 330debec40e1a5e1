"""A healthy stack gives no finding, whatever it is busy with: just created, loaded, deploying, idle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from local.testing import LocalRegion
from runbooks.aws import AwsReader, Connection
from runbooks.report import html
from runbooks.run import Report, diagnose
from tests.runbooks.faults.stack import Stack

pytestmark = pytest.mark.region

HOUR = "1h"
DISPATCHES = 6  # at once: more would measure this machine


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, so that the first test sees it just created."""
    with LocalRegion.start(tmp_path_factory.mktemp("noise")) as region:
        yield Stack(region)


def found(report: Report) -> list[tuple[str, str, str]]:
    return [(f.cause.key, f.verdict.value, f.judgement.summary) for f in report.findings]


def assert_silent_until(stack: Stack, done: Callable[[], bool], timeout: float = 90) -> int:
    """Diagnose again and again until it is done; how often. Nothing may be found in any run."""
    deadline = time.monotonic() + timeout
    runs = 0
    while not done() or not runs:
        assert time.monotonic() < deadline, f"not done after {runs} runs"
        assert found(stack.diagnose(since=HOUR)) == []
        runs += 1
    return runs


def test_just_created(stack: Stack) -> None:
    report = stack.diagnose(since=HOUR)
    assert (found(report), report.exit_code) == ([], 0)
    page = html.render(report)
    assert "What happened" in page
    assert "Could not be looked at" not in page


def test_under_load(stack: Stack) -> None:
    repository = stack.repository()
    body = {"agent": "aider", "task": "Add a line.", "repository": repository}
    posted = [stack.post("/dispatch", body) for _ in range(DISPATCHES)]
    assert [status for status, _ in posted] == [202] * DISPATCHES
    left = {answer["dispatchId"] for _, answer in posted}
    stop = threading.Event()
    answers: list[int] = []

    def ask() -> None:
        while not stop.is_set():
            answers.append(stack.get("/health")[0])
            stop.wait(0.02)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:

        def ended() -> bool:
            left.difference_update([identity for identity in left if stack.ended(identity)])
            return not left

        assert_silent_until(stack, ended)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(answers) == {200}


def test_in_the_middle_of_a_deployment(stack: Stack) -> None:
    stack.update_service(forceNewDeployment=True)
    assert len(stack.service()["deployments"]) == 2
    assert_silent_until(stack, lambda: len(stack.service()["deployments"]) == 1)


def test_while_it_scales_out_and_in(stack: Stack) -> None:
    for count in (2, 1):
        stack.update_service(desiredCount=count)
        assert_silent_until(stack, lambda wanted=count: stack.service()["runningCount"] == wanted)  # type: ignore[misc]


@pytest.mark.parametrize("days", [1, 30])
def test_idle_for_long(stack: Stack, days: int) -> None:
    """As seen from a later day: nothing has happened within the look-back, and ECS has forgotten."""
    stack.forget_stopped()
    target = stack.connection(since=HOUR).target
    later = replace(target.at_present(), now=target.now + timedelta(days=days))
    assert found(diagnose(later, AwsReader(Connection(later)))) == []
