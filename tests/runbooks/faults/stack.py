"""A deployed stack to put faults into, as an operator would: by AWS calls, files and settings."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.testing import LocalRegion
from outpost.names import CONTROL_PLANE_FAMILY, SERVICE, Names
from runbooks.aws import AwsReader, Connection
from runbooks.definitions import registration
from runbooks.mending import Mended, mend
from runbooks.observations.shapes import Definition
from runbooks.run import Report, diagnose
from runbooks.target import Target

RECENT = "10m"  # how far tests look back: not to the metrics of an earlier fault, which nobody can delete
MEASURED = timedelta(minutes=40)  # how long ago a fault of metrics was: `since` 1h sees it, RECENT does not
STEADY = 180.0  # seconds at most for a deployment in the local region, on a busy machine
TENANT = "demo"


class Stack:
    """The region's stack, with what faults need. `environment` is the reader's, to break it too."""

    def __init__(self, region: LocalRegion) -> None:
        self.region = region
        self.names = Names(region.stack)
        self.environment = dict(region.environment)
        self._connections: dict[tuple[tuple[str, str], ...], Connection] = {}
        self.undo = contextlib.ExitStack()

    def client(self, service: str) -> Any:
        return self.region.client(service)

    def connection(self, since: str = RECENT) -> Connection:
        """Clients for what the environment says now, kept: making them costs more than a run does."""
        target = Target.from_environment(environment=self.environment, since=since)
        known = (*sorted(self.environment.items()), ("since", since))
        connection = self._connections.setdefault(known, Connection(target))
        connection.target = target
        return connection

    def diagnose(self, since: str = RECENT, **narrowing: str) -> Report:
        connection = self.connection(since=since)
        return diagnose(connection.target.at_present(), AwsReader(connection), **narrowing)

    def mend(self, report: Report, since: str = RECENT) -> tuple[list[Mended], Report]:
        connection = self.connection(since=since)
        return mend(connection, report, progress=lambda line: None, again=lambda: self.diagnose(since))

    # The control plane

    def service(self) -> dict[str, Any]:
        answer = self.client("ecs").describe_services(cluster=self.names.cluster, services=[SERVICE])
        found: dict[str, Any] = answer["services"][0]
        return found

    def definition(self, name: str = "") -> Definition:
        wanted = name or self.service()["taskDefinition"]
        return Definition(
            self.client("ecs").describe_task_definition(taskDefinition=wanted)["taskDefinition"]
        )

    def deploy(self, parameters: dict[str, Any]) -> None:
        """Register a control plane and move the service to it; the one of before comes back at the end."""
        before = self.service()["taskDefinition"]
        self.undo.callback(self.steady)
        self.undo.callback(self.update_service, taskDefinition=before)
        registered = self.client("ecs").register_task_definition(**parameters)["taskDefinition"]
        self.update_service(taskDefinition=registered["taskDefinitionArn"])

    def update_service(self, **changes: Any) -> None:
        self.client("ecs").update_service(cluster=self.names.cluster, service=SERVICE, **changes)

    def deploy_unguarded(self, parameters: dict[str, Any]) -> None:
        """Deploy with ECS's circuit breaker off, which would roll back before anyone could look."""
        off = {"deploymentCircuitBreaker": {"enable": False, "rollback": False}}
        self.undo.callback(
            self.update_service, deploymentConfiguration=self.service()["deploymentConfiguration"]
        )
        self.update_service(deploymentConfiguration=off)
        self.deploy(parameters)

    def register(self, parameters: dict[str, Any]) -> None:
        """Register an agent's task definition; at the end the one before counts again."""
        ecs = self.client("ecs")
        arn = ecs.register_task_definition(**parameters)["taskDefinition"]["taskDefinitionArn"]
        self.undo.callback(self._restore_family, parameters["family"], arn)

    def _restore_family(self, family: str, arn: str) -> None:
        ecs = self.client("ecs")
        revisions = ecs.list_task_definitions(familyPrefix=family, status="ACTIVE")["taskDefinitionArns"]
        for each in revisions:
            if int(each.rpartition(":")[2]) >= int(arn.rpartition(":")[2]):
                ecs.deregister_task_definition(taskDefinition=each)

    def steady(self) -> None:
        """Wait until the service has what it wants, of one deployment, and the API answers."""

        def look() -> bool:
            service = self.service()
            settled = len(service["deployments"]) == 1 and service["runningCount"] == service["desiredCount"]
            return settled and (service["desiredCount"] == 0 or self.get("/health")[0] == 200)

        self.region.wait_for(look, STEADY, "a steady service")

    def aged(self, seconds: float) -> None:
        """Wait until the control plane has run that long."""
        ecs = self.client("ecs")

        def look() -> bool:
            arns = ecs.list_tasks(cluster=self.names.cluster, serviceName=SERVICE)["taskArns"]
            task = ecs.describe_tasks(cluster=self.names.cluster, tasks=arns[:1])["tasks"][0]
            started: datetime = task["startedAt"]
            return (datetime.now(UTC) - started).total_seconds() > seconds

        self.region.wait_for(look, seconds + STEADY, f"a task that runs for {seconds} s")

    def stopped(self, family: str = CONTROL_PLANE_FAMILY, count: int = 1) -> list[str]:
        """Wait until as many tasks of a family have stopped, and describe them no longer than ECS does."""
        ecs = self.client("ecs")

        def look() -> list[str]:
            arns = ecs.list_tasks(cluster=self.names.cluster, family=family, desiredStatus="STOPPED")[
                "taskArns"
            ]
            return arns if len(arns) >= count else []

        return self.region.wait_for(look, STEADY, f"{count} stopped tasks of {family}")

    def stopped_with(self, exit_code: int) -> None:
        """Wait until a task of the control plane has ended with this exit code."""
        ecs = self.client("ecs")

        def look() -> bool:
            arns = self.stopped()
            tasks = ecs.describe_tasks(cluster=self.names.cluster, tasks=arns)["tasks"]
            return any(c.get("exitCode") == exit_code for task in tasks for c in task["containers"])

        self.region.wait_for(look, STEADY, f"a task that ended with {exit_code}")

    def deployed_back(self) -> None:
        """At the end, the service has the task definition of now, whatever a remedy deployed."""
        self.undo.callback(self.steady)
        self.undo.callback(self.update_service, taskDefinition=self.service()["taskDefinition"])

    def measure(self, namespace: str, metric: str, value: float, **dimensions: str) -> None:
        """What CloudWatch would have measured a while ago; to be looked at with `since` 1h."""
        datum = {
            "MetricName": metric,
            "Dimensions": [{"Name": name, "Value": of} for name, of in dimensions.items()],
            "Value": value,
            "Timestamp": datetime.now(UTC) - MEASURED,
        }
        self.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])

    def table_as_of_old(self) -> None:
        """The jobs table is now as it has been since before what `measure` tells."""
        age = 2 * MEASURED.total_seconds()
        self.region.fault("table-age", table=self.names.jobs_table, seconds=age)

    def forget_stopped(self) -> None:
        """Let ECS forget its stopped tasks at once instead of after an hour."""
        self.region.fault("forget-after", seconds=0.0)
        self.region.wait_for(lambda: not self._any_stopped(), STEADY, "ECS to forget stopped tasks")
        self.region.fault("forget-after", seconds=3600.0)

    def _any_stopped(self) -> list[str]:
        where = {"cluster": self.names.cluster, "desiredStatus": "STOPPED"}
        found: list[str] = self.client("ecs").list_tasks(**where)["taskArns"]
        return found

    # Dispatches

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        return self._http("GET", path, None, headers)

    def post(self, path: str, body: dict[str, Any], **headers: str) -> tuple[int, Any]:
        return self._http("POST", path, body, headers)

    def _http(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        sent = {"Content-Type": "application/json", "X-API-Key": self.region.api_key} | {
            name.replace("_", "-"): value for name, value in headers.items() if value
        }
        for name in [name for name, value in headers.items() if not value]:
            sent.pop(name.replace("_", "-"), None)
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.region.api_url + path, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text.startswith(b"{") else None
        except OSError:
            return 0, None

    def dispatch(self, task: str, *, agent: str = "claude", ends: bool = True, **more: Any) -> dict[str, Any]:
        """Post a dispatch and wait for its end; its record is deleted when the fault is taken away."""
        body = {"agent": agent, "task": task, "repository": more.pop("repository", None) or self.repository()}
        status, answer = self.post("/dispatch", body | more)
        assert status == 202, answer
        identity = answer["dispatchId"]
        self.undo.callback(self.forget, identity)
        if not ends:
            return answer
        found: dict[str, Any] = self.region.wait_for(
            lambda: self.ended(identity), STEADY, f"the end of {identity}"
        )
        return found

    def ended(self, identity: str) -> dict[str, Any] | None:
        _, job = self.get(f"/dispatch/{identity}")
        return job if job and job.get("status") in ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED") else None

    def forget(self, identity: str) -> None:
        """End a dispatch if it has not, and delete its record: a fault leaves nothing behind."""
        self._http("DELETE", f"/dispatch/{identity}", None, {})
        with contextlib.suppress(TimeoutError):
            self.region.wait_for(lambda: self.ended(identity), STEADY)
        key = {"tenantId": {"S": TENANT}, "dispatchId": {"S": identity}}
        self.client("dynamodb").delete_item(TableName=self.names.jobs_table, Key=key)

    def repository(self) -> str:
        """A small git repository on this machine."""
        path = Path(self.region.paths.directory) / "sample-repository"
        if not path.exists():
            path.mkdir()
            (path / "README.md").write_text("# Sample\n")
            for command in (
                "init -q -b main",
                "add -A",
                "-c user.name=t -c user.email=t@example.com commit -q -m first",
            ):
                subprocess.run(["git", "-C", str(path), *command.split()], check=True)
        return str(path)


@dataclass(frozen=True)
class Fault:
    """How one cause comes about, and how it goes away where no machine can mend it.

    `inject` registers on `stack.undo` whatever takes the fault back. `also` are causes that this fault brings
    about by itself, besides those that the cause is declared to explain.
    """

    cause: str
    inject: Callable[[Stack], None]
    also: tuple[str, ...] = ()
    mended: bool = False  # `--fix --yes` mends it
    planned: bool = False  # there is a plan, which only asks AWS for something
    since: str = RECENT

    @property
    def issue(self) -> str:
        return self.cause.partition("/")[0]


def unless_done(done: str, call: Callable[..., Any], **parameters: Any) -> None:
    """Make an AWS call; an error with this code says that the remedy has done it already."""
    try:
        call(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] != done:
            raise


@contextlib.contextmanager
def injected(stack: Stack, fault: Fault) -> Iterator[None]:
    """The fault, and afterwards the stack as it was."""
    environment = dict(stack.environment)
    with contextlib.ExitStack() as undo:
        stack.undo = undo
        try:
            fault.inject(stack)
            yield
        finally:
            stack.environment = environment
            undo.callback(stack.forget_stopped)


def changed(definition: Definition, **container: Any) -> dict[str, Any]:
    """Parameters to register a copy of a task definition with changes of its main container."""
    containers = [definition.container | container]
    return registration(definition, containerDefinitions=containers)


def without_variable(definition: Definition, name: str) -> list[dict[str, str]]:
    return [item for item in definition.container["environment"] if item["name"] != name]


def with_variables(definition: Definition, **variables: str) -> list[dict[str, str]]:
    merged = definition.environment | variables
    return [{"name": name, "value": value} for name, value in merged.items()]
