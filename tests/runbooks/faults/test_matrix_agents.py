"""The fault matrix, of agents and their dispatches; see `matrix`."""

import pytest

from tests.runbooks.faults import matrix
from tests.runbooks.faults.stack import Stack

pytestmark = pytest.mark.region


def test_healthy_region_gives_nothing(stack: Stack) -> None:
    matrix.assert_healthy(stack)


@pytest.mark.parametrize("key", matrix.keys("agents"))
def test_fault(stack: Stack, key: str) -> None:
    matrix.assert_told_and_mended(stack, key)
