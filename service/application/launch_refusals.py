"""Why ECS refused a launch, in the guide's terms where it has them."""

from outpost import failure
from service.domain.job import Reason
from service.domain.ports import LaunchRefusedError

THROTTLED = "launch-throttled"
ACCOUNT = ("vcpu-quota-exhausted", "subnet-exhausted")


def of_account(reason: Reason) -> bool:
    """Whether the account lacks it, whatever the task."""
    return reason.code == THROTTLED or reason.cause in ACCOUNT


def refusal_reason(error: LaunchRefusedError) -> Reason:
    """What keeps a dispatch waiting, in the guide's terms where it has them."""
    if "Throttling" in error.code:
        return Reason(
            code=THROTTLED, summary="AWS is throttling launches.", remedy="It is retried by itself."
        )
    found = failure.classify(failure.TaskEnd(stopped_reason=str(error)))
    if found is None or not found.issue:
        return Reason(
            code="launch-refused", summary=f"ECS refused the launch: {error}", issue="dispatch-stuck-pending"
        )
    return Reason.of(found)
