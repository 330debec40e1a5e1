"""The program, run once for each stack and for each way of running it."""

import pytest

from tests.infra.recording import Program, stack


@pytest.fixture(scope="session", params=["dev", "prod"])
def program(request: pytest.FixtureRequest) -> Program:
    """A stack as `pulumi up` sees it."""
    return stack(request.param)


@pytest.fixture(scope="session")
def dev() -> Program:
    return stack("dev")
