"""Fixtures of the runbooks' tests."""

from collections.abc import Iterator

import pytest

from local.testing import LocalRegion
from tests.runbooks.world import World


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegion]:
    """A region for the tests of one file alone: what others did in theirs would be found and reported."""
    with LocalRegion.start(tmp_path_factory.mktemp("runbooks")) as started:
        yield started


@pytest.fixture
def world() -> World:
    """A healthy stack to break."""
    return World()
