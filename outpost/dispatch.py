"""The states of a dispatch, and which may follow which."""

from enum import StrEnum


class Status(StrEnum):
    """Where a dispatch is in its life."""

    PENDING = "PENDING"  # accepted, waiting for a launch
    PROVISIONING = "PROVISIONING"  # an attempt has been claimed; its container is starting
    RUNNING = "RUNNING"  # the worker has fetched its assignment
    CANCELLING = "CANCELLING"  # cancel is wanted, the container's end is not proven yet
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        return not TRANSITIONS[self]


TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.PROVISIONING, Status.CANCELLED, Status.FAILED}),
    Status.PROVISIONING: frozenset(
        {Status.PENDING, Status.RUNNING, Status.CANCELLING, Status.FAILED, Status.TIMEOUT}
    ),
    Status.RUNNING: frozenset({Status.COMPLETED, Status.FAILED, Status.TIMEOUT, Status.CANCELLING}),
    Status.CANCELLING: frozenset({Status.CANCELLED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.TIMEOUT: frozenset(),
    Status.CANCELLED: frozenset(),
}
