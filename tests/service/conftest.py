"""Fixtures of the service's tests: one embedded AWS a run, a stack of its own for each test."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.service.harness import OneAtATime, World, embedded_aws, make_world


@pytest.fixture(scope="session")
def aws() -> Iterator[tuple[str, OneAtATime]]:
    with embedded_aws() as started:
        yield started


@pytest.fixture
def world(aws: tuple[str, OneAtATime]) -> World:
    return make_world(*aws)


@pytest.fixture
def http(world: World) -> Iterator[TestClient]:
    with world.http() as client:
        yield client
