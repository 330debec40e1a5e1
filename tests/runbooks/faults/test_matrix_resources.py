"""The fault matrix, of tables, buckets, file systems and sizes; see `matrix`."""

import pytest

from tests.runbooks.faults import matrix
from tests.runbooks.faults.stack import Stack

pytestmark = pytest.mark.region


def test_healthy_region_gives_nothing(stack: Stack) -> None:
    matrix.assert_healthy(stack)


@pytest.mark.parametrize("key", matrix.keys("resources"))
def test_fault(stack: Stack, key: str) -> None:
    matrix.assert_told_and_mended(stack, key)
