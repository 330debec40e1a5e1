"""Exit codes: of the worker's container, and of the operations tasks."""

from enum import IntEnum


class WorkerExit(IntEnum):
    """How a worker's container ended.

    1 is the guide's code for an agent, or its set-up, that failed ("Agent Task Fails Immediately"); 124
    is timeout(1)'s; 128+n is a death by signal n, as shells and ECS report it.
    """

    COMPLETED = 0
    FAILED = 1
    NO_ASSIGNMENT = 75  # EX_TEMPFAIL: the control plane could not be reached
    REFUSED = 77  # EX_NOPERM: the token is of an old attempt, or the dispatch has ended
    TIMEOUT = 124
    OUT_OF_MEMORY = 137
    SEGMENTATION_FAULT = 139
    TERMINATED = 143


class Verdict(IntEnum):
    """Exit codes of tasks that judge (DESIGN section 7). 1 and 2 stay with crashes and usage errors."""

    HEALTHY = 0
    FAILING = 3
    WARNING = 4
    UNKNOWN = 5
