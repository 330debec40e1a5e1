"""The soak in short: what is accepted ends, whatever is killed, lost, doubled and throttled meanwhile."""

import pytest

from benchmarks.soak import soak
from local.testing import LocalRegion


@pytest.mark.region
def test_everything_accepted_ends_once(fresh_region: LocalRegion) -> None:
    outcome = soak(fresh_region, 15, per_second=1)
    assert len(outcome.accepted) >= 5
    assert outcome.kills >= 1
    assert outcome.unended == []
    assert outcome.changed_after_end == []
    assert outcome.tasks_left == []
    assert outcome.memory < 150
