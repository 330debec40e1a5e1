"""Fixtures of the local region's own tests."""

from collections.abc import Iterator

import pytest

from local.testing import LocalRegion
from tests.local.bench import Bench
from tests.local.web import Web


@pytest.fixture
def bench(empty_region: LocalRegion) -> Bench:
    """A cluster with nothing in it."""
    empty_region.check()
    return Bench(empty_region)


@pytest.fixture
def web(bench: Bench) -> Iterator[Web]:
    """A web service with one task behind the load balancer."""
    made = Web(bench)
    made.register("one")
    made.create()
    try:
        yield made
    finally:
        made.close()
