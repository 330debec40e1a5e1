"""How long a new task's health is not judged."""

import pytest

from local.ecs.scheduler import scaled_grace


@pytest.mark.parametrize(
    ("load", "seconds"),
    [(0.0, 5.0), (1.0, 5.0), (2.5, 12.5), (6.0, 30.0), (40.0, 30.0)],
)
def test_the_grace_grows_with_the_load_up_to_what_is_declared(load: float, seconds: float) -> None:
    assert scaled_grace(30, load) == seconds
