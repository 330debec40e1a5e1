"""One task from PROVISIONING to STOPPED, in a thread of its own that waits for what happens to it."""

import logging
import queue
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from local.ecs import network
from local.ecs.model import Container, Task, now
from local.fargate.failures import StartError
from local.fargate.forkserver import Start
from local.fargate.processes import Process

if TYPE_CHECKING:
    from local.fargate.agent import Fargate

log = logging.getLogger(__name__)

STOP_TIMEOUT = 30  # seconds, Fargate's default
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
DRAIN = 5.0  # seconds for which the last output of a container is waited for


@dataclass(frozen=True)
class Exit:
    """A container has ended."""

    container: str
    code: int


@dataclass(frozen=True)
class Stop:
    """The task shall stop; why is written in the task."""


@dataclass(frozen=True)
class Kill:
    """The task's containers shall be killed at once, with this reason at the container."""

    reason: str = ""


Happening = Exit | Stop | Kill


@dataclass
class Life:
    """The life of one task. `tell` may be called from any thread."""

    task: Task
    fargate: "Fargate"
    happenings: "queue.SimpleQueue[Happening]" = field(default_factory=queue.SimpleQueue)
    processes: dict[str, Process] = field(default_factory=dict)
    drained: list[object] = field(default_factory=list)
    credentials: str = ""

    def tell(self, happening: Happening) -> None:
        self.happenings.put(happening)

    @property
    def directory(self) -> Path:
        return self.fargate.tasks_directory / self.task.id

    def live(self) -> None:
        """Run the whole life; whatever fails, the task ends STOPPED."""
        try:
            self._start()
            self._run()
        except StartError as failure:
            self._fail_to_start(failure)
        except Exception as error:
            log.exception("task %s", self.task.id)
            self._fail_to_start(StartError(f"ResourceInitializationError: {error}"))
        finally:
            self._end()

    def _start(self) -> None:
        task, fargate = self.task, self.fargate
        with fargate.lock:
            reason = network.attach(task)
            if reason:
                raise StartError(reason)
        self._advance("PENDING")
        fargate.faults.before_start(task)
        task.times["pullStartedAt"] = now()
        commands = {
            container.name: fargate.images.command(
                str(container.definition.get("image", "")),
                self._override(container).get("command")
                or list(container.definition.get("entryPoint") or [])
                + list(container.definition.get("command") or []),
            )
            for container in task.containers
        }
        fargate.preparation.registry(task)
        task.times["pullStoppedAt"] = now()
        self.directory.mkdir(parents=True)
        starts = [self._prepare(container, *commands[container.name]) for container in task.containers]
        if task.desired_status == "STOPPED":
            raise StartError(task.stopped_reason)
        for container, start, group, stream in starts:
            output, drained = fargate.logs.follow(group, stream)
            self.drained.append(drained)
            process = fargate.processes.start(start, output, self._on_exit(container))
            self.processes[container.name] = process
            container.last_status = "RUNNING"
            container.runtime_id = f"{task.id}-{start.id}"
            fargate.memory.watch(process.pid, self, container)
        task.times["startedAt"] = now()
        self._advance("RUNNING")

    def _prepare(
        self, container: Container, argv: list[str], module: str
    ) -> tuple[Container, Start, str, str]:
        fargate, task = self.fargate, self.task
        environment = fargate.environment(self, container)
        environment.update(fargate.preparation.secrets(task, container))
        group, stream = fargate.preparation.log_stream(task, container)
        environment.update(fargate.preparation.mounts(task, container, self.directory))
        start = Start(f"{task.id}/{container.name}", argv, module, environment, str(self.directory))
        return container, start, group, stream

    def _override(self, container: Container) -> dict[str, list[str]]:
        return self.task.override_of(container.name)

    def _on_exit(self, container: Container):  # type: ignore[no-untyped-def]
        return lambda code: self.tell(Exit(container.name, code))

    def _run(self) -> None:
        """Wait until an essential container ends or the task is told to stop, then stop the rest."""
        while True:
            happening = self.happenings.get()
            if isinstance(happening, Exit):
                container = self._exited(happening)
                if container.essential:
                    if not self.task.stop_code:
                        self.task.stop_code = "EssentialContainerExited"
                        self.task.stopped_reason = "Essential container in task exited"
                    break
            elif isinstance(happening, Kill):
                self._kill(happening.reason)
            else:
                break
        self.task.desired_status = "STOPPED"
        self.task.times["stoppingAt"] = now()
        if self._running():
            self._advance("DEACTIVATING")
            self.fargate.deactivate(self.task)
            self._advance("STOPPING")
            self._stop_containers()
        else:
            self.fargate.deactivate(self.task)

    def _stop_containers(self) -> None:
        running = self._running()
        for container in running:
            self.processes[container.name].terminate()
        timeout = max((int(c.definition.get("stopTimeout") or STOP_TIMEOUT) for c in running), default=0)
        deadline = time.monotonic() + timeout
        while self._running():
            try:
                happening = self.happenings.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self._kill("")
                deadline = time.monotonic() + STOP_TIMEOUT
                continue
            if isinstance(happening, Exit):
                self._exited(happening)
            elif isinstance(happening, Kill):
                self._kill(happening.reason)

    def _kill(self, reason: str) -> None:
        for container in self._running():
            container.reason = reason or container.reason
            self.processes[container.name].kill()

    def _running(self) -> list[Container]:
        return [c for c in self.task.containers if c.name in self.processes and c.last_status != "STOPPED"]

    def _exited(self, happening: Exit) -> Container:
        container = next(c for c in self.task.containers if c.name == happening.container)
        container.last_status = "STOPPED"
        container.exit_code = happening.code
        self.fargate.memory.forget(self.processes[container.name].pid)
        return container

    def _fail_to_start(self, failure: StartError) -> None:
        task = self.task
        task.desired_status = "STOPPED"
        task.times.setdefault("stoppingAt", now())
        if not task.stop_code:
            task.stop_code = "TaskFailedToStart"
            task.stopped_reason = failure.reason
        for container in task.containers:
            container.reason = container.reason or failure.container_reason
        self._kill("")

    def _end(self) -> None:
        task = self.task
        for drained in self.drained:
            drained.wait(DRAIN)  # type: ignore[attr-defined]
        task.times["executionStoppedAt"] = now()
        self._advance("DEPROVISIONING")
        with self.fargate.lock:
            network.detach(task)
        for container in task.containers:
            container.last_status = "STOPPED"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.fargate.ended(self)
        self._advance("STOPPED")

    def _advance(self, status: str) -> None:
        with self.fargate.lock:
            self.fargate.store.advance(self.task, status)
