"""Faults of the AWS API and of event delivery, switched on by tests and by `local.fault`."""

import contextlib
import random
import time
from dataclasses import dataclass, field
from typing import Any

from local.aws.call import Call
from local.aws.errors import AwsError

# What a service answers when it throttles; every other says ThrottlingException: Rate exceeded.
THROTTLES = {
    "dynamodb": (
        "ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded. Consider increasing your "
        "provisioning level with the UpdateTable API.",
        400,
    ),
    "s3": ("SlowDown", "Please reduce your request rate.", 503),
    "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
}


@dataclass
class ApiFault:
    """What befalls calls of an operation (`*`: any) by some callers.

    `kind` is throttle, deny, delay or error. `callers` is all, tasks (temporary credentials) or operator.
    It happens to the next `times` matching calls (0: until cleared), each with `probability`, for `lasts`
    seconds (0: until cleared); `seconds` is the delay, `code` the error.
    """

    kind: str
    service: str = "*"
    operation: str = "*"
    callers: str = "all"
    resource: str = ""
    times: int = 0
    probability: float = 1.0
    seconds: float = 0.0
    code: str = "InternalServerError"
    lasts: float = 0.0
    since: float = field(default_factory=time.monotonic)

    @property
    def over(self) -> bool:
        return bool(self.lasts) and time.monotonic() - self.since >= self.lasts

    def hits(self, call: Call) -> bool:
        if self.service not in {"*", call.service} or self.operation not in {"*", call.operation}:
            return False
        temporary = call.access_key.startswith("ASIA")
        if self.callers != "all" and temporary != (self.callers == "tasks"):
            return False
        if (
            self.resource
            and self.resource.encode() not in call.body
            and self.resource not in call.environ["PATH_INFO"]
        ):
            return False
        return _chance(self.probability)


@dataclass
class EventFault:
    """What befalls events whose task's `last_status` matches (empty: any): drop, duplicate or delay."""

    kind: str
    last_status: str = ""
    times: int = 0
    probability: float = 1.0
    seconds: float = 0.0


@dataclass
class Faults:
    """All faults that are on. A guard of the gateway, and the fate of events."""

    api: list[ApiFault] = field(default_factory=list)
    events: list[EventFault] = field(default_factory=list)
    throttled: list[tuple[str, str]] = field(default_factory=list)

    def clear(self) -> None:
        self.api.clear()
        self.events.clear()

    def guard(self, call: Call) -> None:
        """Raise `AwsError`, or wait, as the first fault that hits this call says."""
        for fault in list(self.api):
            if fault.over:
                with contextlib.suppress(ValueError):  # another call has found it over, too
                    self.api.remove(fault)
            elif fault.hits(call):
                _use(fault, self.api)
                self._befall(fault, call)
                return

    def fate(self, event: dict[str, Any]) -> list[float]:
        """After how many seconds an event is delivered, once for each."""
        for fault in list(self.events):
            status = event["detail"].get("lastStatus", "")
            if fault.last_status in {"", status} and _chance(fault.probability):
                _use(fault, self.events)
                if fault.kind == "drop":
                    return []
                if fault.kind == "duplicate":
                    return [0.0, fault.seconds]
                return [fault.seconds]
        return [0.0]

    @staticmethod
    def _befall(fault: ApiFault, call: Call) -> None:
        if fault.kind == "delay":
            time.sleep(fault.seconds)
            return
        if fault.kind == "throttle":
            code, message, status = THROTTLES.get(call.service, ("ThrottlingException", "Rate exceeded", 400))
            raise AwsError(code, message, status=status)
        if fault.kind == "deny":
            code = (
                "AccessDenied" if call.protocol in {"query", "rest-xml", "ec2"} else "AccessDeniedException"
            )
            raise AwsError(
                code, f"User is not authorized to perform: {call.service}:{call.operation}", status=403
            )
        raise AwsError(fault.code, "A fault was injected into the local region.", status=500)


def _chance(probability: float) -> bool:
    return probability >= 1 or random.random() < probability  # noqa: S311 - chance, not secrecy


def _use(fault: ApiFault | EventFault, faults: list[Any]) -> None:
    if fault.times:
        fault.times -= 1
        if not fault.times:
            faults.remove(fault)
