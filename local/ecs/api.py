"""ECS as one: its state, its operations, its scheduler."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from local.aws.bus import Bus
from local.aws.call import Call
from local.aws.errors import AwsError, Response
from local.aws.gateway import Handler
from local.aws.moto_app import backend
from local.aws.quotas import Quotas
from local.ecs.model import Task
from local.ecs.scheduler import Scheduler, TargetGroups
from local.ecs.service_api import ServiceApi
from local.ecs.store import TaskStore
from local.ecs.task_api import TaskApi
from local.fargate.faults import TaskFaults

if TYPE_CHECKING:
    from local.fargate.agent import Fargate


class Ecs:
    """Tasks and services. `connect` brings in Fargate and the load balancer, which need ECS themselves."""

    def __init__(self, lock: threading.RLock, bus: Bus, quotas: Quotas, faults: TaskFaults) -> None:
        self.store = TaskStore()
        self._fargate: Fargate | None = None
        self.tasks = TaskApi(
            self.store,
            start=self._start,
            stop=self.stop,
            vcpu_quota=quotas.vcpus,
            capacity_available=lambda: faults.capacity,
        )
        self.services = ServiceApi(self.store, lambda: self.scheduler.wake())
        self.scheduler = Scheduler(lock, self.services, self.tasks, bus, self.stop)
        self.store.listeners += [self._count, self.scheduler.task_changed]

    def connect(self, fargate: "Fargate", target_groups: TargetGroups) -> None:
        self._fargate = fargate
        self.scheduler.target_groups = target_groups
        self.scheduler.run(fargate.start)

    def close(self) -> None:
        self.scheduler.close()

    def deactivate(self, task: Task) -> None:
        self.scheduler.deactivate(task)

    def stop(self, task: Task) -> None:
        if self._fargate:
            self._fargate.stop(task)

    @property
    def answers(self) -> dict[tuple[str, str], Handler]:
        """The operations answered here instead of by moto."""
        operations: dict[str, Callable[[Call], dict[str, Any] | Response]] = {
            "RunTask": self.tasks.run_task,
            "StopTask": self.tasks.stop_task,
            "DescribeTasks": self.tasks.describe_tasks,
            "ListTasks": self.tasks.list_tasks,
            "CreateService": self.services.create_service,
            "UpdateService": self.services.update_service,
            "DeleteService": self.services.delete_service,
            "DescribeServices": self.services.describe_services,
            "ListServices": self.services.list_services,
            "StartTask": _only_fargate,
            "CreateTaskSet": _only_fargate,
        }
        return {("ecs", name): operation for name, operation in operations.items()}

    def _start(self, task: Task) -> None:
        if self._fargate:
            self._fargate.start(task)

    def _count(self, task: Task) -> None:
        """Keep the counts that DescribeClusters, which is moto's, shows."""
        cluster = backend("ecs").clusters.get(task.cluster)
        if cluster is None:
            return
        states = [each.last_status for each in self.store.active() if each.cluster == task.cluster]
        cluster.running_tasks_count = states.count("RUNNING")
        cluster.pending_tasks_count = sum(
            states.count(state) for state in ("PROVISIONING", "PENDING", "ACTIVATING")
        )
        cluster.active_services_count = sum(
            service.cluster == task.cluster and service.status == "ACTIVE"
            for service in self.services.services.values()
        )


def _only_fargate(call: Call) -> dict[str, Any]:
    raise AwsError("UnsupportedFeatureException", f"{call.operation}: the local region has Fargate only.")
