"""Faults of keys that the API does not accept."""

from tests.runbooks.faults.callers import logged, new_key, provision
from tests.runbooks.faults.stack import Fault, Stack


def _refused(stack: Stack, **headers: str) -> None:
    status, problem = stack.get("/fleet", **headers)
    assert (status, problem["detail"]) == (401, "Invalid API key"), problem
    logged(stack, "auth-refused")


def key_not_found(stack: Stack) -> None:
    """The reader's own key is one that the table does not know."""
    stack.environment["OUTPOST_API_KEY"] = key = new_key()
    _refused(stack, X_API_Key=key)


def key_revoked(stack: Stack) -> None:
    _refused(stack, X_API_Key=provision(stack, "revoked", ("admin",), status={"S": "revoked"}))


def key_expired(stack: Stack) -> None:
    """The reader's own key has expired."""
    past = {"S": "2020-01-01T00:00:00Z"}
    stack.environment["OUTPOST_API_KEY"] = key = provision(stack, "expired", ("admin",), expiresAt=past)
    _refused(stack, X_API_Key=key)


def wrong_header(stack: Stack) -> None:
    _refused(stack, X_API_Key="", Api_Key=stack.region.api_key)


FAULTS = (
    Fault("unauthorized/key-not-found", key_not_found),
    Fault("unauthorized/key-revoked", key_revoked),
    Fault("unauthorized/key-expired", key_expired),
    Fault("unauthorized/wrong-header", wrong_header),
)
