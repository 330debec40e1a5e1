"""Watches what containers use: kills one that exceeds its task's memory, and keeps figures for CloudWatch."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from local.ecs.model import Container, Task

if TYPE_CHECKING:
    from local.fargate.life import Life

log = logging.getLogger(__name__)

INTERVAL = 0.5  # seconds between looks
MIB = 1024 * 1024
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"

Figures = Callable[[Task, float, float], None]  # task, CPU in percent of its units, memory in percent


@dataclass
class _Watched:
    life: "Life"
    container: Container
    cpu_seconds: float = 0.0
    at: float = 0.0


class MemoryWatch:
    """One thread for all containers. The memory of a tree is the sum of its processes' private parts."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._watched: dict[int, _Watched] = {}
        self._some = threading.Event()
        threading.Thread(target=self._run, name="memory-watch", daemon=True).start()

    def watch(self, pid: int, life: "Life", container: Container) -> None:
        self._watched[pid] = _Watched(life, container)
        self._some.set()

    def forget(self, pid: int) -> None:
        self._watched.pop(pid, None)

    def _run(self) -> None:
        while True:
            self._some.wait()
            time.sleep(INTERVAL)
            if not self._watched:
                self._some.clear()
            for pid, watched in list(self._watched.items()):
                try:
                    self._look(pid, watched)
                except psutil.Error:
                    continue

    def _look(self, pid: int, watched: _Watched) -> None:
        from local.fargate.life import Kill

        task = watched.life.task
        used, cpu = 0, 0.0
        for process in psutil.Process(pid).children(recursive=True):
            try:
                memory = process.memory_info()
                used += memory.rss - memory.shared
                times = process.cpu_times()
                cpu += times.user + times.system
            except psutil.Error:
                continue
        moment = time.monotonic()
        limit = min(task.memory, int(watched.container.definition.get("memory") or task.memory))
        if watched.at:
            share = (cpu - watched.cpu_seconds) / (moment - watched.at) / (task.cpu / 1024)
            self._figures(task, max(0.0, share * 100), used / MIB / task.memory * 100)
        watched.cpu_seconds, watched.at = cpu, moment
        if used > limit * MIB:
            log.info("task %s uses %d MiB of %d", task.id, used // MIB, limit)
            watched.life.tell(Kill(OUT_OF_MEMORY))
