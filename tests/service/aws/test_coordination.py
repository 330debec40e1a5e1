"""Leases and the rate of launches, by replicas whose clocks differ."""

from tests.service.harness import World

NOW = 1_800_000_000.0
HOUR = 3600


def test_a_lease_is_one_replicas_until_it_runs_out(world: World) -> None:
    lease = world.services.coordination.lease
    assert lease("reconciler", "one", NOW, 30)
    assert not lease("reconciler", "two", NOW + 29, 30)
    assert lease("reconciler", "one", NOW + 29, 30)
    assert not lease("reconciler", "two", NOW + 26, 30), "clocks differ by some seconds"
    assert lease("reconciler", "two", NOW + 60, 30)


def test_a_lease_by_a_clock_that_was_wrong_binds_nobody(world: World) -> None:
    lease = world.services.coordination.lease
    assert lease("reconciler", "ahead", NOW + HOUR, 30)
    assert lease("reconciler", "two", NOW, 30)


def test_a_second_has_room_for_so_many_launches(world: World) -> None:
    take = world.services.coordination.take_launches
    assert [take(8, 20, NOW) for _ in range(4)] == [8, 8, 4, 0]
    assert take(8, 20, NOW - 1) == 0, "a replica that is a second behind shares the same room"
    assert take(8, 20, NOW + 1) == 8


def test_launches_counted_by_a_clock_that_was_wrong_stop_nobody(world: World) -> None:
    take = world.services.coordination.take_launches
    assert take(20, 20, NOW + HOUR) == 20
    assert take(20, 20, NOW) == 20
