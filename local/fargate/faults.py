"""Ends that AWS brings about itself, put in by a test: they await the next matching task, or hit one now."""

from dataclasses import dataclass, field

from local.ecs.model import Task
from local.fargate.failures import StartError


@dataclass
class Planned:
    """Fail the next `times` tasks of a family at their start, with this stopped reason."""

    family: str
    reason: str
    times: int


@dataclass
class TaskFaults:
    """Faults of tasks that are not there yet. `capacity` False: RunTask finds no Fargate capacity."""

    planned: list[Planned] = field(default_factory=list)
    capacity: bool = True

    def before_start(self, task: Task) -> None:
        """Raise `StartError` if a fault waits for this task."""
        for fault in self.planned:
            if fault.times > 0 and fault.family in {task.family, "*"}:
                fault.times -= 1
                raise StartError(fault.reason, fault.reason)
