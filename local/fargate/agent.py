"""Fargate: takes tasks from ECS, gives each an address, an environment and a life."""

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from local.aws.moto_app import REGION
from local.ecs.model import Container, Task
from local.ecs.store import TaskStore
from local.fargate.addresses import Addresses
from local.fargate.checks import Preparation
from local.fargate.faults import TaskFaults
from local.fargate.images import Images
from local.fargate.life import Kill, Life, Stop
from local.fargate.logs import LogDriver
from local.fargate.memory import MemoryWatch
from local.fargate.processes import ROOT, Processes
from local.fargate.roles import Roles

KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass
class Fargate:
    """`aws_url` is where containers find AWS; `resolve` replaces service-discovery names in values."""

    lock: threading.RLock
    store: TaskStore
    images: Images
    roles: Roles
    preparation: Preparation
    processes: Processes
    logs: LogDriver
    memory: MemoryWatch
    addresses: Addresses
    faults: TaskFaults
    tasks_directory: Path
    aws_url: str
    resolve: Callable[[str], str]
    deactivate: Callable[[Task], None]
    lives: dict[str, Life] = field(default_factory=dict)

    def start(self, task: Task) -> None:
        """Begin a task's life; returns at once."""
        life = Life(task, self)
        self.lives[task.id] = life
        threading.Thread(target=life.live, name=f"task-{task.id[:8]}", daemon=True).start()

    def stop(self, task: Task) -> None:
        """Stop a task as its `stop_code` and `stopped_reason` say; returns at once."""
        task.desired_status = "STOPPED"
        life = self.lives.get(task.id)
        if life:
            life.tell(Stop())

    def kill(self, task: Task, reason: str = "") -> None:
        """Kill a task's containers with SIGKILL, as the kernel does; `reason` is shown at the container."""
        life = self.lives.get(task.id)
        if life:
            life.tell(Kill(reason))

    def ended(self, life: Life) -> None:
        self.lives.pop(life.task.id, None)
        if life.credentials:
            self.roles.dismiss(life.credentials)

    def environment(self, life: Life, container: Container) -> dict[str, str]:
        """What the container's process sees: a few of the machine, Fargate's own, the declared ones."""
        task = life.task
        variables = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        # `python` and the tools of the environment that runs the region stand for those of the image.
        variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables.get('PATH', os.defpath)}"
        variables.update(
            {
                "AWS_DEFAULT_REGION": REGION,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_ENDPOINT_URL": self.aws_url,
                "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
                "AWS_REGION": REGION,
                "HOME": str(life.directory),
                "HOSTNAME": f"ip-{task.attachment.ip.replace('.', '-')}.ec2.internal",
                "OUTPOST_LOCAL_REGION": "1",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": str(ROOT),
                "PYTHONUNBUFFERED": "1",
            }
        )
        role = str(task.overrides.get("taskRoleArn") or task.definition["taskRoleArn"])
        if role:
            life.credentials = life.credentials or self.roles.admit(role, task.id)
            variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = self.aws_url + life.credentials
        declared = [*(container.definition.get("environment") or [])]
        declared += task.override_of(container.name).get("environment") or []
        variables.update({entry["name"]: self.resolve(str(entry["value"])) for entry in declared})
        # Each task has an address of its own, as it has a network namespace of its own on Fargate.
        variables["HOST"] = self.addresses.of(task.attachment.ip)
        return variables
