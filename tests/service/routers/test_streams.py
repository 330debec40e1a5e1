"""How many streams are open at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from service.application import log_reading
from service.routers import streams
from service.routers.streams import Follow, Streams
from tests.service.harness import World

FOLLOW = Follow(
    tenant_id="acme", dispatch_id="01ARZ3NDEKTSV4RRFFQ69G5FAV", presented_key="", last_event_id=None
)


async def statuses(opened: Streams, count: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What `count` requests that were all admitted before any began to stream are answered."""
    done = asyncio.Event()

    async def events(*_: object) -> AsyncIterator[str]:
        yield "retry: 1000\n\n"
        await done.wait()

    monkeypatch.setattr(opened, "_events", events)
    responses = [opened.response(FOLLOW) for _ in range(count)]
    found: list[int] = []

    async def receive() -> Message:
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])
        if len(found) == count:
            done.set()

    scope: Scope = {
        "type": "http",
        "path": "/",
        "state": {"request_id": "r"},
        "asgi": {"spec_version": "2.4"},
    }
    calls: list[tuple[Receive, Send]] = [(receive, send)] * count
    await asyncio.gather(*(response(scope, *each) for response, each in zip(responses, calls, strict=True)))
    return sorted(found)


def test_streams_asked_for_at_once_are_counted_one_by_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PER_TENANT", 3)
    opened = Streams(world.services)
    for _ in range(2):  # the places of those that ended are free again
        assert asyncio.run(statuses(opened, 8, monkeypatch)) == [200] * 3 + [429] * 5


def test_a_forged_event_id_is_refused_before_anything_is_streamed(world: World) -> None:
    forged = Follow(tenant_id="acme", dispatch_id="x", presented_key="", last_event_id="!~1")
    with pytest.raises(log_reading.BadCursorError):
        Streams(world.services).response(forged)
