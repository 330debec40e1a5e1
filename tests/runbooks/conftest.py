"""Fixtures of the runbooks' tests."""

import pytest

from tests.runbooks.world import World


@pytest.fixture
def world() -> World:
    """A healthy stack to break."""
    return World()
