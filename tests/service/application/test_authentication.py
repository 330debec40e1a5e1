"""Keys in memory: guesses have a place of their own."""

import pytest

from outpost.api_keys import new_key
from service.application.authentication import Authentication, InvalidKeyError
from service.domain.keys import ApiKey, key_hash
from tests.service.fakes import FakeClock


class Table:
    """One key, and how often it was asked for."""

    def __init__(self, *secrets: str) -> None:
        self.keys = {key_hash(each): each for each in secrets}
        self.reads = 0

    def by_hash(self, digest: str) -> ApiKey | None:
        self.reads += 1
        if digest not in self.keys:
            return None
        return ApiKey(
            api_key_id=digest, tenant_id="acme", key_hash=digest, key_prefix="", scopes=frozenset({"admin"})
        )


def test_guesses_push_no_key_out_of_memory_and_take_bounded_memory() -> None:
    secret = new_key()
    table = Table(secret)
    authentication = Authentication(keys=table, clock=FakeClock(), size=5)  # type: ignore[arg-type]
    authentication.look_up(secret)
    for _ in range(50):
        with pytest.raises(InvalidKeyError):
            authentication.look_up(new_key())
    reads = table.reads
    assert authentication.recall(secret) is not None
    assert table.reads == reads
    assert len(authentication._unknown) == 5


def test_keys_beyond_the_memory_are_looked_up_again_the_oldest_first() -> None:
    secrets = [new_key() for _ in range(4)]
    authentication = Authentication(keys=Table(*secrets), clock=FakeClock(), size=3)  # type: ignore[arg-type]
    for each in secrets:
        authentication.look_up(each)
    assert [authentication.recall(each) is not None for each in secrets] == [False, True, True, True]


def test_a_wrong_key_is_remembered_for_a_moment_only() -> None:
    clock, secret = FakeClock(), new_key()
    table = Table()
    authentication = Authentication(keys=table, clock=clock)  # type: ignore[arg-type]
    for _ in range(3):
        with pytest.raises(InvalidKeyError):
            authentication.look_up(secret)
    assert table.reads == 1
    clock.advance(2)
    table.keys[key_hash(secret)] = secret  # made meanwhile
    assert authentication.look_up(secret).tenant_id == "acme"


def test_a_key_that_is_gone_from_the_table_is_no_longer_familiar() -> None:
    clock, secret = FakeClock(), new_key()
    table = Table(secret)
    authentication = Authentication(keys=table, clock=clock)  # type: ignore[arg-type]
    authentication.look_up(secret)
    assert authentication.familiar(secret)
    table.keys.clear()
    clock.advance(9)
    with pytest.raises(InvalidKeyError):
        authentication.look_up(secret)
    assert not authentication.familiar(secret)


@pytest.mark.parametrize("seconds", [-3600, 9])
def test_a_key_is_looked_up_again_whichever_way_the_clock_goes(seconds: float) -> None:
    clock, secret = FakeClock(), new_key()
    table = Table(secret)
    authentication = Authentication(keys=table, clock=clock)  # type: ignore[arg-type]
    authentication.look_up(secret)
    clock.advance(seconds)
    assert authentication.recall(secret) is None


def test_an_index_that_answers_with_another_key_lets_nobody_in() -> None:
    secret, other = new_key(), new_key()
    table = Table(other)
    right = table.by_hash
    table.by_hash = lambda digest: right(key_hash(other))  # type: ignore[method-assign]
    authentication = Authentication(keys=table, clock=FakeClock())  # type: ignore[arg-type]
    with pytest.raises(InvalidKeyError):
        authentication.look_up(secret)
