"""Fixtures that every part may use."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.testing import LocalRegion

# A developer's own profile, endpoint and stack decide nothing here: tests say what they talk to.
OWN = ("OUTPOST_API_", "OUTPOST_BUCKET_", "OUTPOST_SSM_", "OUTPOST_STA")  # _STACK and _STATE_DIR
for name in [each for each in os.environ if each.startswith(("AWS_", *OWN))]:
    del os.environ[name]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background by a shell without job control, as some CI runners do. What tests start would
    # inherit it, and not be ended by the SIGINT that a test sends.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegion]:
    """A local region with stack dev deployed: one for each process of the test run.

    Tests share it: use names and tenants of your own, and undo the faults that you put in.
    """
    with LocalRegion.start(tmp_path_factory.mktemp("region")) as started:
        yield started


@pytest.fixture
def fresh_region(tmp_path: Path) -> Iterator[LocalRegion]:
    """A local region of one's own, for tests that break it for good. Takes seconds to start."""
    with LocalRegion.start(tmp_path / "region") as started:
        yield started


@pytest.fixture(scope="session")
def empty_region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegion]:
    """A local region in which nothing is deployed, for tests of the region itself."""
    with LocalRegion.start(tmp_path_factory.mktemp("empty-region"), deploy=False) as started:
        yield started
