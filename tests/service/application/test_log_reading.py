"""Pages of an archived log, which a hostile agent may have written."""

import json
from typing import Any

import pytest

from outpost.agents import Agent
from outpost.dispatch import Status
from service.application.log_reading import LogReading
from service.domain.job import Job
from service.domain.ports import LogPage

JOB = Job(
    tenant_id="acme",
    dispatch_id="01ARZ3NDEKTSV4RRFFQ69G5FAV",
    agent=Agent.CLAUDE,
    created_at=1.0,
    timeout_seconds=60,
    status=Status.COMPLETED,
    task_arn="arn:aws:ecs:us-east-1:1:task/c/abc",
)


class Gone:
    """CloudWatch after its retention."""

    def page(self, *_: object) -> LogPage:
        return LogPage(lines=(), token=None)

    def tail(self, *_: object) -> list[str]:
        return []


class Archive:
    """One object."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, key: str, *, start: int = 0, limit: int | None = None) -> bytes:
        return self._data[start : None if limit is None else start + limit]

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def pages(data: bytes, limit: int) -> list[list[str]]:
    reading = LogReading(logs=Gone(), artifacts=Archive(data))
    found, cursor = [], None
    while True:
        page = reading.page(JOB, cursor, limit)
        found.append([line.message for line in page.lines])
        if page.complete:
            return found
        assert page.cursor != cursor
        cursor = page.cursor


def test_a_page_of_the_archive_has_no_more_lines_than_were_asked_for() -> None:
    found = pages(b"\n" * 300_000, 10_000)
    assert max(len(page) for page in found) == 10_000
    assert sum(len(page) for page in found) == 300_000


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("ending", ["", "\n"])
def test_pages_of_the_archive_join_without_loss(limit: int, ending: str) -> None:
    found = pages(("\n".join("abcd") + ending).encode(), limit)
    assert [line for page in found for line in page] == list("abcd")
    assert all(len(page) <= limit for page in found)


def test_only_a_line_feed_ends_a_line_of_the_archive() -> None:
    messages = ["one\u2028line", "one\x85line", "one\x0cline"]
    data = "".join(json.dumps({"message": each}, ensure_ascii=False) + "\n" for each in messages)
    assert pages(data.encode(), 10)[0] == messages
