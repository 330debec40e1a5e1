"""Fixtures of the local region's own tests."""

import pytest

from local.testing import LocalRegion
from tests.local.bench import Bench


@pytest.fixture
def bench(empty_region: LocalRegion) -> Bench:
    """A cluster with nothing in it."""
    return Bench(empty_region)
