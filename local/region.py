"""The local region, put together: the one place where its parts meet."""

import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.alb.discovery import Discovery
from local.alb.load_balancer import LoadBalancer
from local.aws import checksums, elb, indexes, transactions
from local.aws.bus import Bus
from local.aws.call_count import CallCount
from local.aws.client import Clients
from local.aws.faults import Faults
from local.aws.gateway import Gateway
from local.aws.metrics import Metrics
from local.aws.moto_app import backend
from local.aws.quotas import Quotas
from local.aws.server import serve
from local.aws.sqs import Sqs
from local.cloudwatch import from_logs
from local.cloudwatch.alarms import Alarms
from local.control import ROUTE as CONTROL_ROUTE
from local.control import Control
from local.ecs import events
from local.ecs.api import Ecs
from local.fargate.addresses import Addresses
from local.fargate.agent import Fargate
from local.fargate.checks import Preparation
from local.fargate.faults import TaskFaults
from local.fargate.images import Images
from local.fargate.logs import LogDriver
from local.fargate.memory import MemoryWatch
from local.fargate.processes import Processes
from local.fargate.roles import CREDENTIALS_ROUTE, Roles
from local.iam.guard import IamGuard

# Imported once in the fork server, so that a worker's process starts without importing them.
PRELOAD = ("httpx", "json", "subprocess", "tarfile", "psutil")


@dataclass(frozen=True)
class Settings:
    """How a region is started. Port 0 takes a free one."""

    directory: Path
    stack: str = "dev"
    port: int = 0
    aws_port: int = 0


@dataclass
class Operator:
    """The IAM user behind the profile `soc`."""

    access_key: str
    secret_key: str


class Region:
    """Everything that runs in the daemon. Starts with the object; `close` ends all of it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lock = threading.RLock()
        self.control_token = secrets.token_urlsafe(24)
        self.gateway = Gateway(self.lock, f"ASIAINTERNAL{secrets.token_hex(6).upper()}")
        self.clients = Clients(self.gateway)
        self.calls = CallCount(self.gateway.internal_key)
        self.faults = Faults()
        self.task_faults = TaskFaults()
        self.quotas = Quotas()
        self.metrics = Metrics(self.lock)
        indexes.install()
        transactions.install()
        from_logs.install(lambda: self.metrics.series)
        self.sqs = Sqs(self.gateway)
        self.bus = Bus(self.lock)
        self.bus.fate = self.faults.fate
        self.server = serve(self.gateway, "127.0.0.1", settings.aws_port)
        self.aws_url = f"http://127.0.0.1:{self.server.port}"
        self.addresses = Addresses()
        self.images = Images()
        self.ecs = Ecs(self.lock, self.bus, self.quotas, self.task_faults)
        self.balancer = LoadBalancer(self.lock, self.addresses, self.metrics, settings.port)
        self.discovery = Discovery(self.lock, self.ecs, self.addresses, self.balancer.loop)
        self.fargate = self._fargate()
        self.ecs.connect(self.fargate, self.balancer)
        self.alarms = Alarms(
            self.lock, self.bus, [self.balancer.count_hosts, self._measure_queues], self.sqs.age
        )
        self.operator = self._operator()
        self.control = Control(self)
        self._wire()

    @property
    def api_url(self) -> str:
        return self.balancer.url

    def close(self) -> None:
        """Stop every process and listen no more."""
        self.ecs.close()
        self.fargate.processes.close()
        self.balancer.close()
        self.server.shutdown()

    def _fargate(self) -> Fargate:
        directory = self.settings.directory
        roles = Roles(self.clients)
        return Fargate(
            lock=self.lock,
            store=self.ecs.store,
            images=self.images,
            roles=roles,
            preparation=Preparation(self.clients, roles, directory / "efs"),
            processes=Processes(PRELOAD),
            logs=LogDriver(self._put_logs),
            memory=MemoryWatch(self.metrics.task),
            addresses=self.addresses,
            faults=self.task_faults,
            tasks_directory=directory / "tasks",
            aws_url=self.aws_url,
            resolve=self.discovery.resolve,
            deactivate=self.ecs.deactivate,
        )

    def _put_logs(self, group: str, stream: str, lines: list[dict[str, Any]]) -> None:
        with self.lock:
            backend("logs").put_log_events(group, stream, lines)

    def _measure_queues(self) -> None:
        self.sqs.measure(lambda *measured: self.metrics.record("AWS/SQS", *measured))

    def _operator(self) -> Operator:
        iam = self.clients.internal("iam")
        iam.create_user(UserName="operator")
        iam.put_user_policy(
            UserName="operator",
            PolicyName="AdministratorAccess",
            PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
        )
        key = iam.create_access_key(UserName="operator")["AccessKey"]
        return Operator(key["AccessKeyId"], key["SecretAccessKey"])

    def _wire(self) -> None:
        gateway = self.gateway
        gateway.guards += [self.faults.guard, IamGuard(self.ecs.store), checksums.guard]
        gateway.answers.update(self.ecs.answers)
        gateway.answers.update(
            {
                ("service-quotas", "GetServiceQuota"): self.quotas.get_service_quota,
                ("service-quotas", "GetAWSDefaultServiceQuota"): self.quotas.get_aws_default_service_quota,
                ("service-quotas", "ListServiceQuotas"): self.quotas.list_service_quotas,
                ("service-quotas", "RequestServiceQuotaIncrease"): self.quotas.request_service_quota_increase,
                (
                    "service-quotas",
                    "ListRequestedServiceQuotaChangeHistoryByQuota",
                ): self.quotas.list_requests,
            }
        )
        gateway.answers.update(self.sqs.answers)
        gateway.waits["sqs", "ReceiveMessage"] = self.sqs.receive
        gateway.observers += [self.metrics.observe, self.calls.observe]
        gateway.routes[CREDENTIALS_ROUTE] = self.fargate.roles.route
        gateway.routes[CONTROL_ROUTE] = self.control.route
        self.ecs.store.listeners.append(lambda task: self.bus.put(events.task_state_change(task)))
        elb.install(self.balancer.health_of)
