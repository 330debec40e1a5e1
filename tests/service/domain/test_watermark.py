"""How far a queue has been read, judged from what comes out of it."""

from service.domain.watermark import WINDOW, Watermark


def test_nothing_is_known_before_enough_has_come() -> None:
    mark = Watermark()
    assert mark.read_to is None
    for at in range(WINDOW - 1):
        mark.received(100.0 + at)
    assert mark.read_to is None


def test_the_oldest_of_the_last_few_tells_how_far() -> None:
    mark = Watermark()
    for at in range(WINDOW):
        mark.received(100.0 + at)
    assert mark.read_to == 100.0
    mark.received(90.0)  # SQS gave a later one first
    assert mark.read_to == 90.0


def test_an_empty_queue_has_been_read_to_its_end() -> None:
    mark = Watermark()
    mark.received(100.0)
    mark.empty(500.0)
    assert mark.read_to == 500.0
    mark.received(90.0)  # a repeated message: what was read stays read
    assert mark.read_to == 500.0
