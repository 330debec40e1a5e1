"""Transactions: told apart when another one is in the way, and repeated then."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from service.aws.errors import code_of, extra, failing
from service.domain.ports import Failing, UnavailableError

TRIES = 12


class TransactionConflictError(Exception):
    """Another transaction holds one of the items."""


def reasons_of(error: ClientError) -> list[dict[str, Any]]:
    """Per item of the transaction, why it was cancelled."""
    return list(extra(error, "CancellationReasons") or [])


def cancelled_for(reasons: list[dict[str, Any]]) -> UnavailableError:
    """The error of a transaction that no condition of ours has cancelled: throttled, denied or wrong."""
    for reason in reasons:
        code = str(reason.get("Code", "None"))
        if code not in ("None", "ConditionalCheckFailed"):
            return UnavailableError("dynamodb", code, str(reason.get("Message", "")), failing(code))
    return UnavailableError("dynamodb", "TransactionCanceledException")


@contextmanager
def conflicts() -> Iterator[None]:
    """Raise `TransactionConflictError` for a transaction that only has to be repeated."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if code in ("TransactionInProgressException", "TransactionConflictException") or (
            code == "TransactionCanceledException"
            and any(reason.get("Code") == "TransactionConflict" for reason in reasons_of(error))
        ):
            raise TransactionConflictError from error
        raise


def pause_for_rest(tries: int) -> None:
    """Wait before a batch asks again for what DynamoDB left undone, with full jitter up to 1 s.

    It leaves undone what it has no capacity for: asked at once, it would have none again. Raises
    `UnavailableError` when it was left undone too often.
    """
    if tries >= TRIES:
        raise UnavailableError("dynamodb", "BatchUnprocessed", failing=Failing.THROTTLED)
    time.sleep(random.uniform(0, min(1.0, 0.05 * 2**tries)))  # noqa: S311 - jitter


def repeated(action: Callable[[], None]) -> None:
    """Repeat while other transactions are in the way, with full jitter up to 0.4 s."""
    for attempt in range(TRIES):
        try:
            return action()
        except TransactionConflictError:
            time.sleep(random.uniform(0, min(0.4, 0.01 * 2**attempt)))  # noqa: S311 - jitter
    raise UnavailableError("dynamodb", "TransactionConflict", failing=Failing.THROTTLED)
