"""The region's own controls, for tests and for `local.fault`: what AWS would bring about by itself.

POST /_outpost/control with the region's token and `{"action": ..., ...}`; the answer is JSON.
"""

import hmac
import json
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psutil

from local.aws.errors import Response
from local.aws.faults import ApiFault, EventFault
from local.ecs.model import Task
from local.fargate.faults import Planned
from local.fargate.images import Image
from local.fargate.memory import OUT_OF_MEMORY
from outpost.errors import OutpostError
from outpost.names import VCPU_QUOTA_CODE

if TYPE_CHECKING:
    from local.region import Region

ROUTE = "/_outpost/control"
HEADER = "HTTP_X_OUTPOST_CONTROL"


class Control:
    """The actions by name; each takes the request's other members as arguments."""

    def __init__(self, region: "Region") -> None:
        self._region = region
        self._actions: dict[str, Callable[..., Any]] = {
            "api": self.api,
            "events": self.events,
            "clear": self.clear,
            "kill": self.kill,
            "oom": self.oom,
            "spot": self.spot,
            "fail-start": self.fail_start,
            "capacity": self.capacity,
            "quota": self.quota,
            "image": self.image,
            "no-image": self.no_image,
            "forget-after": self.forget_after,
            "table-age": self.table_age,
            "evaluate-alarms": self.evaluate_alarms,
            "minutes": self.minutes,
            "tasks": self.tasks,
            "calls": self.calls,
        }

    @classmethod
    def describe(cls) -> list[tuple[str, str]]:
        """Names and first lines of the actions, for the command line."""
        names = [name for name in vars(cls) if not name.startswith("_") and name not in {"route", "describe"}]
        return [(name.replace("_", "-"), (getattr(cls, name).__doc__ or "").split("\n")[0]) for name in names]

    def route(self, environ: dict[str, Any], body: bytes) -> Response:
        if not hmac.compare_digest(environ.get(HEADER, ""), self._region.control_token):
            return _json(403, {"error": "the control token of region.json is needed"})
        try:
            request = json.loads(body or b"{}")
            action = self._actions[request.pop("action")]
            return _json(200, {"result": action(**request)})
        except OutpostError as error:
            return _json(404, {"error": str(error)})
        except (KeyError, TypeError, ValueError) as error:
            known = ", ".join(sorted(self._actions))
            return _json(400, {"error": f"not a control: {error}", "actions": known})

    def api(self, **fault: Any) -> None:
        """Throttle, deny, delay or fail calls; see `ApiFault`."""
        self._region.faults.api.append(ApiFault(**fault))

    def events(self, **fault: Any) -> None:
        """Drop, duplicate or delay events; see `EventFault`."""
        self._region.faults.events.append(EventFault(**fault))

    def clear(self) -> None:
        """No faults any more; what they did remains."""
        self._region.faults.clear()
        self._region.task_faults.planned.clear()
        self._region.task_faults.capacity = True
        self._region.images.missing.clear()

    def kill(self, task: str, signal_number: int = signal.SIGKILL) -> str:
        """Send a signal to the main process of a task's containers."""
        found = self._find(task)
        for process in self._processes(found):
            process.send_signal(signal_number)
        return found.arn

    def oom(self, task: str) -> str:
        """End a task as the kernel does when it exceeds its memory."""
        found = self._find(task)
        self._region.fargate.kill(found, OUT_OF_MEMORY)
        return found.arn

    def spot(self, task: str) -> str:
        """Interrupt a task as Fargate Spot does: SIGTERM, then its stop timeout."""
        found = self._find(task)
        with self._region.lock:
            found.stop_code = "SpotInterruption"
            found.stopped_reason = "Your Spot Task was interrupted."
            self._region.fargate.stop(found)
        return found.arn

    def fail_start(self, family: str, reason: str, times: int = 1) -> None:
        """Let the next tasks of a family (`*`: any) fail to start with this stopped reason."""
        self._region.task_faults.planned.append(Planned(family, reason, times))

    def capacity(self, *, available: bool) -> None:
        """Whether Fargate has capacity for new tasks."""
        self._region.task_faults.capacity = available

    def quota(self, value: float, code: str = VCPU_QUOTA_CODE) -> None:
        """Set a Fargate quota."""
        self._region.quotas.values[code] = value

    def image(self, repository: str, argv: list[str], *, module: str = "", forked: bool = False) -> None:
        """Make a repository name stand for a program."""
        self._region.images.known[repository] = Image(tuple(argv), module, forked)

    def no_image(self, reference: str) -> None:
        """Let pulls of a repository or image reference fail."""
        self._region.images.missing.add(reference)

    def forget_after(self, seconds: float) -> None:
        """How long stopped tasks are described."""
        with self._region.lock:
            self._region.ecs.store.remembered = seconds

    def table_age(self, table: str, seconds: float) -> None:
        """Let a table's last change of mode and capacity have been so many seconds earlier."""
        from local.aws.moto_app import backend  # moto, which the command line need not load
        from local.moto_extensions.dynamodb import set_back

        with self._region.lock:
            set_back(backend("dynamodb").get_table(table), seconds)

    def evaluate_alarms(self, at: float = 0.0) -> dict[str, str]:
        """Evaluate the alarms now, or as of a time (seconds since 1970); their states by name."""
        return self._region.alarms.evaluate(at or time.time())

    def minutes(self, count: int = 1) -> dict[str, str]:
        """Let minutes pass for metrics, alarms and queued messages; the alarms' states."""
        return self._region.alarms.pass_minutes(count)

    def tasks(self) -> list[dict[str, Any]]:
        """Tasks that have not stopped, with the process ids of their programs."""
        with self._region.lock:
            active = list(self._region.ecs.store.active())
        return [
            {
                "task": task.arn,
                "family": task.family,
                "status": task.last_status,
                "address": self._region.addresses.of(task.attachment.ip) if task.attachment.ip else "",
                "pids": [process.pid for process in self._processes(task)],
            }
            for task in active
        ]

    def calls(self) -> dict[str, int]:
        """How many calls tasks have made so far, by service and operation."""
        return self._region.calls.counts()

    def _find(self, reference: str) -> Task:
        """A task by id or ARN, or the newest that runs of a family."""
        with self._region.lock:
            active = list(self._region.ecs.store.active())
        for task in reversed(active):
            if reference in {task.id, task.arn} or (
                reference == task.family and task.last_status == "RUNNING"
            ):
                return task
        raise OutpostError("no-such-task", f"no active task or family {reference}.")

    def _processes(self, task: Task) -> list[psutil.Process]:
        """The main processes of a task's containers: the first child of each shim."""
        life = self._region.fargate.lives.get(task.id)
        found = []
        for process in life.processes.values() if life else []:
            try:
                found += psutil.Process(process.pid).children()[:1]
            except psutil.Error:
                continue
        return found


def _json(status: int, document: dict[str, Any]) -> Response:
    return Response(status, json.dumps(document).encode(), (("Content-Type", "application/json"),))
