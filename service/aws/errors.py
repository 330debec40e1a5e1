"""AWS errors, told apart by code and never by words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from service.domain.ports import UnavailableError


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def message_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


def extra(error: ClientError, name: str) -> Any:
    """A modelled member of the error's answer (`CancellationReasons`, `Item`, `resourceIds`)."""
    return error.response.get(name)


@contextmanager
def translated(service: str) -> Iterator[None]:
    """Whatever was not handled by code inside becomes `UnavailableError`."""
    try:
        yield
    except ClientError as error:
        raise UnavailableError(service, code_of(error), message_of(error)) from error
    except BotoCoreError as error:
        raise UnavailableError(service, type(error).__name__, str(error)) from error
