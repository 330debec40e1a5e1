"""The numbers that the state machine waits by, in one place. All in seconds unless said."""

from dataclasses import dataclass
from zlib import crc32

from service.domain.times import DAY


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How long each state may last and how often it is looked at."""

    # PENDING: a launch message may be lost; the sweep looks, less often the longer the queue is, and sends
    # another when those that were queued this long after it have been received.
    queue_disorder: float = 60
    pending_check: float = 60
    pending_check_max: float = 900
    max_pending: float = (
        6 * 3600
    )  # capacity that does not come in this time ends the dispatch, with its reason
    # Launches refused for want of capacity or by throttling.
    backoff_base: float = 5
    backoff_max: float = 300
    early: float = 10  # by which SQS's clock and ours may differ when a delayed message comes
    # PROVISIONING: Fargate starts a task in 30-90 s; a large image takes minutes.
    provisioning_check: float = 60
    max_provisioning: float = 900
    max_start_failures: int = 3
    # RUNNING: the worker enforces the timeout and then saves its work within the stop timeout (120 s is
    # Fargate's maximum), so the server's own limit comes after that.
    running_check: float = 300
    timeout_grace: float = 150
    # CANCELLING: StopTask is repeated until the task is gone.
    cancel_check: float = 15
    cancel_unseen: float = 120  # no task was ever seen for this long: it never started
    # A webhook whose first try was lost with its replica.
    webhook_check: float = 60
    # How long a finished dispatch stays in the table.
    retention: float = 90 * DAY

    def backoff(self, refusals: int, seed: str) -> float:
        """Exponential, with jitter that depends only on `seed`, so that a decision stays reproducible."""
        longest = min(self.backoff_max, self.backoff_base * 2.0 ** min(refusals, 16))
        return longest * (0.5 + 0.5 * crc32(seed.encode()) / 0xFFFFFFFF)

    def pending_interval(self, age: float) -> float:
        """Until a waiting dispatch is looked at again: about half its age, within the two bounds."""
        return min(self.pending_check_max, max(self.pending_check, age / 2))
