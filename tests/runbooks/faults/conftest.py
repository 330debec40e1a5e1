"""Fixtures of the fault tests."""

import pytest

from local.testing import LocalRegion
from tests.runbooks.faults.stack import Stack


@pytest.fixture(scope="module")
def stack(region: LocalRegion) -> Stack:
    """The stack of this file's region, steady."""
    stack = Stack(region)
    stack.steady()
    return stack
