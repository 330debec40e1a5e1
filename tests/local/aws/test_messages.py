"""A queue's messages, without a region."""

import hashlib
import time

from local.aws.messages import Message, Messages

RETENTION = 345_600.0


def put(messages: Messages, body: str, delay: float = 0.0) -> Message:
    now = time.time()
    message = Message(body, {}, now, now + delay)
    messages.put(message)
    return message


def receive(messages: Messages, count: int = 10, visibility: float = 30.0) -> list[str]:
    found = messages.receive(count, visibility, RETENTION, lambda message: False)
    return [message.body for message in found]


def test_messages_come_in_order_and_hide_until_their_time_is_over() -> None:
    messages = Messages()
    for body in ("one", "two", "three"):
        put(messages, body)

    assert receive(messages, 2, visibility=0.05) == ["one", "two"]
    assert receive(messages) == ["three"]
    assert receive(messages) == []
    time.sleep(0.06)  # the visibility timeout itself is what is tested
    assert receive(messages) == ["one", "two"]


def test_a_deleted_message_does_not_come_back() -> None:
    messages = Messages()
    message = put(messages, "one")
    receive(messages, visibility=0)
    messages.delete(message.receipt)

    assert receive(messages) == []
    assert messages.counts() == (0, 0, 0)


def test_an_old_receipt_deletes_nothing() -> None:
    messages = Messages()
    message = put(messages, "one")
    receive(messages, visibility=0)
    old = message.receipt
    receive(messages, visibility=0)
    messages.delete(old)

    assert receive(messages) == ["one"]


def test_a_changed_visibility_holds() -> None:
    messages = Messages()
    message = put(messages, "one")
    receive(messages)
    assert messages.change_visibility(message.receipt, 0)

    assert receive(messages) == ["one"]
    assert not messages.change_visibility("unknown", 0)


def test_visible_in_flight_and_delayed_are_counted() -> None:
    messages = Messages()
    put(messages, "in flight")
    receive(messages)
    put(messages, "visible")
    put(messages, "delayed", delay=60)

    assert messages.counts() == (1, 1, 1)
    assert receive(messages) == ["visible"]


def test_the_dead_and_the_expired_are_not_received() -> None:
    messages = Messages()
    put(messages, "poison")
    expired = put(messages, "expired")
    expired.sent -= RETENTION + 1
    put(messages, "good")

    found = messages.receive(10, 30, RETENTION, lambda message: message.body == "poison")

    assert [message.body for message in found] == ["good"]
    assert messages.counts() == (0, 1, 0)


def test_the_digest_of_attributes_is_that_of_name_type_and_value() -> None:
    attributes = {"n": {"DataType": "String", "StringValue": "v"}}
    wire = b"\0\0\0\1n" + b"\0\0\0\6String" + b"\1" + b"\0\0\0\1v"

    expected = hashlib.md5(wire, usedforsecurity=False).hexdigest()
    assert Message("body", attributes, 0.0, 0.0).attributes_digest == expected
