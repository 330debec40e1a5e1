"""A task and its containers, as DescribeTasks and EventBridge show them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from local.aws.moto_app import ACCOUNT, REGION

ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
PLATFORM_VERSION = "1.4.0"  # what LATEST means on Fargate for Linux


def now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    """A task, container or attachment id: 32 hexadecimal digits."""
    return uuid4().hex


@dataclass
class Container:
    """One container of a task."""

    definition: dict[str, Any]
    arn: str
    runtime_id: str = ""
    last_status: str = "PENDING"
    health_status: str = "UNKNOWN"
    exit_code: int | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        return str(self.definition["name"])

    @property
    def essential(self) -> bool:
        return bool(self.definition.get("essential", True))


@dataclass
class Attachment:
    """The task's elastic network interface."""

    id: str
    subnet: str
    interface: str = ""
    mac: str = ""
    ip: str = ""
    status: str = "PRECREATED"

    def render(self) -> dict[str, Any]:
        details = {
            "subnetId": self.subnet,
            "networkInterfaceId": self.interface,
            "macAddress": self.mac,
            "privateDnsName": f"ip-{self.ip.replace('.', '-')}.ec2.internal" if self.ip else "",
            "privateIPv4Address": self.ip,
        }
        return {
            "id": self.id,
            "type": "ElasticNetworkInterface",
            "status": self.status,
            "details": [{"name": name, "value": value} for name, value in details.items() if value],
        }


@dataclass
class Task:
    """A Fargate task. Times are UTC; `version` grows with every change that an event reports."""

    id: str
    cluster: str  # name
    definition: dict[str, Any]  # the task definition as DescribeTaskDefinition gives it
    group: str
    started_by: str
    launch_type: str
    capacity_provider: str
    overrides: dict[str, Any]
    tags: dict[str, str]
    network: dict[str, Any]  # awsvpcConfiguration
    containers: list[Container]
    attachment: Attachment
    availability_zone: str
    service: str = ""  # name of the service it belongs to
    deployment: str = ""  # id of that service's deployment
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    version: int = 1
    stop_code: str = ""
    stopped_reason: str = ""
    created_at: datetime = field(default_factory=now)
    times: dict[str, datetime] = field(default_factory=dict)  # startedAt, pullStartedAt, ... as they happen

    @property
    def arn(self) -> str:
        return f"{ARN}:task/{self.cluster}/{self.id}"

    @property
    def cluster_arn(self) -> str:
        return f"{ARN}:cluster/{self.cluster}"

    @property
    def definition_arn(self) -> str:
        return str(self.definition["taskDefinitionArn"])

    @property
    def family(self) -> str:
        return str(self.definition["family"])

    @property
    def cpu(self) -> int:
        """CPU units, of the overrides if they say so."""
        return int(self.overrides.get("cpu") or self.definition.get("cpu") or 256)

    @property
    def memory(self) -> int:
        """MiB, of the overrides if they say so."""
        return int(self.overrides.get("memory") or self.definition.get("memory") or 512)

    @property
    def stopped(self) -> bool:
        return self.last_status == "STOPPED"

    def override_of(self, container: str) -> dict[str, Any]:
        for override in self.overrides.get("containerOverrides") or []:
            if override.get("name") == container:
                return dict(override)
        return {}

    def render(self, *, tags: bool = False) -> dict[str, Any]:
        """The task as ECS describes it; times are datetimes, for the protocol to write."""
        rendered: dict[str, Any] = {
            "attachments": [self.attachment.render()],
            "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
            "availabilityZone": self.availability_zone,
            "clusterArn": self.cluster_arn,
            "connectivity": "CONNECTED",
            "connectivityAt": self.created_at,
            "containers": [self._container(container) for container in self.containers],
            "cpu": str(self.cpu),
            "createdAt": self.created_at,
            "desiredStatus": self.desired_status,
            "enableExecuteCommand": False,
            "ephemeralStorage": self.definition.get("ephemeralStorage") or {"sizeInGiB": 20},
            "group": self.group,
            "healthStatus": "UNKNOWN",
            "lastStatus": self.last_status,
            "memory": str(self.memory),
            "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **self.overrides},
            "platformFamily": "Linux",
            "platformVersion": PLATFORM_VERSION,
            "startedBy": self.started_by,
            "taskArn": self.arn,
            "taskDefinitionArn": self.definition_arn,
            "version": self.version,
            "tags": [{"key": k, "value": v} for k, v in self.tags.items()] if tags else [],
            **self.times,
        }
        if self.capacity_provider:
            rendered["capacityProviderName"] = self.capacity_provider
        rendered["launchType"] = self.launch_type
        if self.stop_code:
            rendered["stopCode"] = self.stop_code
        if self.stopped_reason:
            rendered["stoppedReason"] = self.stopped_reason
        return rendered

    def _container(self, container: Container) -> dict[str, Any]:
        rendered: dict[str, Any] = {
            "containerArn": container.arn,
            "taskArn": self.arn,
            "name": container.name,
            "image": container.definition.get("image", ""),
            "lastStatus": container.last_status,
            "healthStatus": container.health_status,
            "cpu": str(container.definition.get("cpu", 0)),
            "networkBindings": [],
            "networkInterfaces": [],
        }
        if container.definition.get("memory"):
            rendered["memory"] = str(container.definition["memory"])
        if self.attachment.ip:
            rendered["networkInterfaces"] = [
                {"attachmentId": self.attachment.id, "privateIpv4Address": self.attachment.ip}
            ]
        if container.runtime_id:
            rendered["runtimeId"] = container.runtime_id
        if container.exit_code is not None:
            rendered["exitCode"] = container.exit_code
        if container.reason:
            rendered["reason"] = container.reason
        return rendered
