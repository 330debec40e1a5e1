"""What ECS knows of tasks: found by id, ARN, cluster, family, service; forgotten an hour after they stop."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local.ecs.model import Task, now

REMEMBERED = 3600.0  # seconds that ECS describes a stopped task ("about an hour", AWS-LIMITS)

Listener = Callable[[Task], None]


@dataclass
class _Token:
    fingerprint: str
    tasks: list[str]
    at: float


class TaskStore:
    """All tasks of the region, in the order of their creation. Callers hold the region's lock."""

    def __init__(self) -> None:
        self.remembered = REMEMBERED
        self.tokens: dict[tuple[str, str], _Token] = {}  # (cluster, client token)
        self.listeners: list[Listener] = []
        self._tasks: dict[str, Task] = {}
        self._active: dict[str, Task] = {}
        self._stopped: dict[str, float] = {}  # id -> monotonic time, oldest first

    def add(self, task: Task) -> None:
        self._tasks[task.id] = task
        self._active[task.id] = task
        self._announce(task)

    def get(self, cluster: str, reference: str) -> Task | None:
        """The task that an id or ARN names, if it is in the cluster and not forgotten."""
        self.forget()
        task = self._tasks.get(reference.rsplit("/", 1)[-1])
        return task if task is not None and task.cluster == cluster else None

    def active(self) -> Iterator[Task]:
        """Tasks that have not stopped, oldest first."""
        return iter(list(self._active.values()))

    def all(self) -> Iterator[Task]:
        self.forget()
        return iter(list(self._tasks.values()))

    def vcpus(self) -> float:
        """vCPUs of all tasks that count against the Fargate quota."""
        return sum(task.cpu for task in self._active.values()) / 1024

    def remember_token(self, cluster: str, token: str, fingerprint: str, tasks: list[str]) -> None:
        self.tokens[cluster, token] = _Token(fingerprint, tasks, time.monotonic())

    def advance(self, task: Task, status: str) -> bool:
        """Move a task to `status` and announce it; False if the task has stopped already."""
        if task.stopped:
            return False
        task.last_status = status
        task.version += 1
        if status == "STOPPED":
            task.desired_status = "STOPPED"
            task.times["stoppedAt"] = now()
            self._active.pop(task.id, None)
            self._stopped[task.id] = time.monotonic()
        self._announce(task)
        return True

    def forget(self) -> None:
        """Drop tasks that stopped longer than `remembered` seconds ago."""
        horizon = time.monotonic() - self.remembered
        while self._stopped:
            task_id, at = next(iter(self._stopped.items()))
            if at > horizon:
                break
            del self._stopped[task_id]
            self._tasks.pop(task_id, None)

    def _announce(self, task: Task) -> None:
        for listener in self.listeners:
            listener(task)
