"""The service scheduler: keeps each service at its desired count, rolls out deployments, rolls back."""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from local.aws.bus import Bus
from local.ecs import events
from local.ecs.model import Task
from local.ecs.service_api import ServiceApi, roll_out
from local.ecs.service_model import Deployment, Service
from local.ecs.task_api import VCPU_LIMIT_REASON, TaskApi

log = logging.getLogger(__name__)

LOOK_AGAIN = 0.5  # seconds between looks when nothing has happened
FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.5, 15.0  # seconds between starts that keep failing
BREAKER_LEAST, BREAKER_MOST = (
    3,
    200,
)  # failed tasks that trip the circuit breaker (ECS: half the desired count)
LONGEST_DRAIN = 3.0  # seconds that a leaving target may finish requests, whatever the group's delay
DRAIN_LOOK = 0.02
# A health check grace period is shorter here by this factor, on a machine that is not overloaded: the control
# plane's 30 s become 5, and it starts in one or two.
GRACE_SCALE = 6.0
TROUBLESHOOTING = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


@dataclass(frozen=True)
class Health:
    """A target as its load balancer sees it."""

    state: str
    reason: str = ""
    description: str = ""


class TargetGroups(Protocol):
    """What the scheduler asks of the load balancer."""

    def register(self, group: str, address: str, port: int) -> None: ...
    def deregister(self, group: str, address: str, port: int) -> None: ...
    def drained(self, group: str, address: str) -> bool: ...
    def health(self, group: str, address: str) -> Health: ...


def scaled_grace(declared: float, load: float) -> float:
    """The seconds for which a new task's health is not judged, at this load for each processor.

    Shorter than declared, as all pacing here is; but an overloaded machine starts programs as many
    times slower, and a grace that ends before a sound program listens kills one replacement after another.
    """
    return min(declared, declared / GRACE_SCALE * max(1.0, load))


def load_per_processor() -> float:
    """The load average of the last minute, for each processor."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


class Scheduler:
    """One thread for all services. Wakes when a task or a service changes, and twice a second."""

    def __init__(
        self,
        lock: threading.RLock,
        services: ServiceApi,
        tasks: TaskApi,
        bus: Bus,
        stop: Callable[[Task], None],
    ) -> None:
        self.target_groups: TargetGroups | None = None
        self._lock = lock
        self._services = services
        self._tasks = tasks
        self._bus = bus
        self._stop_task = stop
        self._wake = threading.Event()
        self._closed = False
        self._registered: dict[str, float] = {}  # task id -> monotonic time of its registration

    def run(self, start: Callable[[Task], None]) -> None:
        self._start_task = start
        threading.Thread(target=self._run, name="service-scheduler", daemon=True).start()

    def wake(self) -> None:
        self._wake.set()

    def close(self) -> None:
        self._closed = True

    def task_changed(self, task: Task) -> None:
        """Note what a service's task did; called with the lock held."""
        if not task.service:
            return
        service = self._services.services.get((task.cluster, task.service))
        if service and task.last_status == "RUNNING":
            self._register(service, task)
        elif service and task.stopped and task.stop_code in {"TaskFailedToStart", "EssentialContainerExited"}:
            self._failed(service, task)
        self.wake()

    def deactivate(self, task: Task) -> None:
        """Take a task out of its target groups before its containers stop."""
        service = self._services.services.get((task.cluster, task.service))
        if service is None or task.id not in self._registered:
            return
        with self._lock:
            del self._registered[task.id]
            for each in service.load_balancers:
                if self.target_groups:
                    self.target_groups.deregister(
                        each["targetGroupArn"], task.attachment.ip, each["containerPort"]
                    )
                    service.say(f"deregistered 1 targets in (target-group {each['targetGroupArn']})")
        deadline = time.monotonic() + LONGEST_DRAIN
        time.sleep(DRAIN_LOOK)  # a request may have been given its target a moment ago
        while self.target_groups and time.monotonic() < deadline:
            groups = [each["targetGroupArn"] for each in service.load_balancers]
            if all(self.target_groups.drained(group, task.attachment.ip) for group in groups):
                break
            time.sleep(DRAIN_LOOK)

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(LOOK_AGAIN)
            self._wake.clear()
            with self._lock:
                for service in list(self._services.services.values()):
                    try:
                        self._reconcile(service)
                    except Exception:  # one service must not keep the others from being looked after
                        log.exception("service %s", service.name)

    def _reconcile(self, service: Service) -> None:
        if service.status == "INACTIVE":
            return
        tasks = [task for task in self._services.tasks_of(service) if task.desired_status == "RUNNING"]
        self._stop_unhealthy(service, tasks)
        tasks = [task for task in tasks if task.desired_status == "RUNNING"]
        if service.status == "DRAINING":
            self._stop(service, tasks, _scaling(service.primary))
            if not self._services.tasks_of(service):
                service.status = "INACTIVE"
            return
        new = [task for task in tasks if task.deployment == service.primary.id]
        old = [task for task in tasks if task.deployment != service.primary.id]
        self._start_missing(service, len(new), len(tasks))
        self._stop_surplus(service, new, old)
        self._finish(service, new, old)

    def _healthy(self, service: Service, task: Task) -> bool:
        if task.last_status != "RUNNING":
            return False
        return all(self._health(each, task).state == "healthy" for each in service.load_balancers)

    def _health(self, load_balancer: dict[str, Any], task: Task) -> Health:
        if self.target_groups is None:
            return Health("healthy")
        return self.target_groups.health(load_balancer["targetGroupArn"], task.attachment.ip)

    def _start_missing(self, service: Service, new: int, total: int) -> None:
        deployment = service.primary
        count = min(service.desired - new, service.most - total)
        if count <= 0 or time.monotonic() < deployment.not_before:
            return
        started: list[Task] = []
        for _ in range(count):
            refusal = self._tasks.refusal(deployment.definition, {})
            if refusal:
                more = f" {TROUBLESHOOTING}" if refusal == VCPU_LIMIT_REASON else ""
                service.say(f"was unable to place a task. Reason: {refusal}.{more}")
                break
            started.append(self._make(service, deployment))
        if started:
            service.say(f"has started {len(started)} tasks: {_names(started)}.")
            service.steady = False
        for task in started:
            self._start_task(task)

    def _make(self, service: Service, deployment: Deployment) -> Task:
        tags = {}
        if service.settings.get("propagateTags") == "SERVICE":
            tags = dict(service.tags)
        elif service.settings.get("propagateTags") == "TASK_DEFINITION":
            tags = dict(deployment.definition["tags"])
        return self._tasks.make(
            service.cluster,
            deployment.definition,
            service.settings.get("networkConfiguration"),
            group=f"service:{service.name}",
            started_by=deployment.id,
            strategy=service.settings.get("capacityProviderStrategy") or [],
            overrides={},
            tags=tags,
            service=service.name,
            deployment=deployment.id,
        )

    def _stop_surplus(self, service: Service, new: list[Task], old: list[Task]) -> None:
        sick_new = [task for task in new if not self._healthy(service, task)]
        healthy_new = len(new) - len(sick_new)
        healthy_old = [task for task in old if self._healthy(service, task)]
        sick_old = [task for task in old if task not in healthy_old]
        spare = max(0, healthy_new + len(healthy_old) - service.least)
        stopping = sick_old + healthy_old[:spare] if old else []
        if len(new) > service.desired:
            # What does not serve yet goes first: with the last healthy task all requests would be lost.
            in_turn = sick_new + [task for task in new if task not in sick_new]
            stopping += in_turn[: len(new) - service.desired]
        self._stop(service, stopping, _scaling(service.primary))

    def _stop_unhealthy(self, service: Service, tasks: list[Task]) -> None:
        for task in tasks:
            registered = self._registered.get(task.id)
            grace = scaled_grace(service.grace, load_per_processor())
            if registered is None or time.monotonic() - registered < grace:
                continue
            for each in service.load_balancers:
                health = self._health(each, task)
                if health.state == "unhealthy":
                    group = each["targetGroupArn"]
                    service.say(
                        f"(port {each['containerPort']}) is unhealthy in (target-group {group}) due to "
                        f"(reason {health.description or 'Health checks failed'})."
                    )
                    self._stop(service, [task], f"Task failed ELB health checks in (target-group {group})")
                    self._failed(service, task)
                    break

    def _stop(self, service: Service, tasks: list[Task], reason: str) -> None:
        for task in tasks:
            task.stop_code = "ServiceSchedulerInitiated"
            task.stopped_reason = reason
            self._stop_task(task)
        if tasks:
            if service.load_balancers:
                service.say(f"has begun draining connections on {len(tasks)} tasks.")
            service.say(f"has stopped {len(tasks)} running tasks: {_names(tasks)}.")

    def _register(self, service: Service, task: Task) -> None:
        self._registered[task.id] = time.monotonic()
        for each in service.load_balancers:
            if self.target_groups:
                self.target_groups.register(each["targetGroupArn"], task.attachment.ip, each["containerPort"])
                service.say(f"registered 1 targets in (target-group {each['targetGroupArn']})")

    def _failed(self, service: Service, task: Task) -> None:
        """Count a failure, delay the next start, and trip the circuit breaker when there are too many."""
        deployment = next((each for each in service.deployments if each.id == task.deployment), None)
        if deployment is None:
            return
        deployment.failed_tasks += 1
        deployment.tries += 1
        delay = min(FIRST_BACK_OFF * 2 ** (deployment.tries - 1), LONGEST_BACK_OFF)
        deployment.not_before = time.monotonic() + (0.0 if deployment.tries == 1 else delay)
        if deployment.tries >= BREAKER_LEAST:
            service.say(f"is unable to consistently start tasks successfully. {TROUBLESHOOTING}")
            self._bus.put(
                events.service_action(service.arn, service.cluster_arn, "SERVICE_TASK_START_IMPAIRED", "WARN")
            )
        threshold = min(max(-(-service.desired // 2), BREAKER_LEAST), BREAKER_MOST)
        enabled, rollback = service.breaker
        if enabled and deployment.rollout_state == "IN_PROGRESS" and deployment.failed_tasks >= threshold:
            self._trip(service, deployment, rollback=rollback)

    def _trip(self, service: Service, deployment: Deployment, *, rollback: bool) -> None:
        reason = "ECS deployment circuit breaker: tasks failed to start."
        deployment.change("FAILED", reason)
        service.say(f"(deployment {deployment.id}) deployment failed: tasks failed to start.")
        self._tell(service, deployment, "SERVICE_DEPLOYMENT_FAILED", "ERROR", reason)
        if not rollback or service.last_completed is None or deployment is not service.primary:
            return
        back = Deployment(service.last_completed)
        back.rollout_reason = f"ECS deployment circuit breaker: rolling back to deploymentId {back.id}."
        service.say(f"rolling back to deployment {back.id}.")
        roll_out(service, back)

    def _finish(self, service: Service, new: list[Task], old: list[Task]) -> None:
        deployment = service.primary
        remaining = {task.deployment for task in self._services.tasks_of(service)}
        service.deployments = [
            each for each in service.deployments if each is deployment or each.id in remaining
        ]
        healthy = sum(self._healthy(service, task) for task in new)
        if old or len(new) != service.desired or healthy < service.desired:
            service.steady = False
            return
        if healthy:
            deployment.tries = 0
        if deployment.rollout_state == "IN_PROGRESS" and len(service.deployments) == 1:
            reason = f"ECS deployment {deployment.id} completed."
            deployment.change("COMPLETED", reason)
            service.last_completed = deployment.definition
            service.say(f"(deployment {deployment.id}) deployment completed.")
            self._tell(service, deployment, "SERVICE_DEPLOYMENT_COMPLETED", "INFO", reason)
        if not service.steady and len(service.deployments) == 1:
            service.steady = True
            service.say("has reached a steady state.")
            self._bus.put(
                events.service_action(service.arn, service.cluster_arn, "SERVICE_STEADY_STATE", "INFO")
            )

    def _tell(self, service: Service, deployment: Deployment, name: str, kind: str, reason: str) -> None:
        self._bus.put(events.deployment_state_change(service.arn, deployment.id, name, kind, reason))


def _scaling(deployment: Deployment) -> str:
    return f"Scaling activity initiated by (deployment {deployment.id})"


def _names(tasks: list[Task]) -> str:
    return " ".join(f"(task {task.id})" for task in tasks)
