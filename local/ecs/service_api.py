"""CreateService, UpdateService, DeleteService, DescribeServices, ListServices."""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from local.aws.call import Call
from local.aws.errors import AwsError
from local.aws.moto_app import backend
from local.ecs import definitions
from local.ecs.model import ARN, Task
from local.ecs.service_model import Deployment, Service
from local.ecs.store import TaskStore

MAX_DESCRIBED = 10  # services of one DescribeServices
PAGE = 10  # services of a page of ListServices unless maxResults says otherwise
# Changes of these make a new deployment, as a change of the task definition does.
ROLLED_OUT = (
    "networkConfiguration",
    "loadBalancers",
    "capacityProviderStrategy",
    "platformVersion",
)


class ServiceApi:
    """ECS's operations on services; `wake` lets the scheduler look at once."""

    def __init__(self, store: TaskStore, wake: Callable[[], None]) -> None:
        self.services: dict[tuple[str, str], Service] = {}
        self._store = store
        self._wake = wake

    def create_service(self, call: Call) -> dict[str, Any]:
        parameters = call.parameters
        cluster = definitions.cluster_name(parameters.get("cluster"))
        name = str(parameters["serviceName"])
        existing = self.services.get((cluster, name))
        if existing and existing.status == "ACTIVE":
            raise AwsError("InvalidParameterException", "Creation of service was not idempotent.")
        definition = definitions.task_definition(str(parameters.get("taskDefinition", "")))
        _check_load_balancers(parameters.get("loadBalancers") or [], definition)
        service = Service(
            name=name,
            cluster=cluster,
            desired=int(parameters.get("desiredCount") or 0),
            settings=dict(parameters),
            deployments=[Deployment(definition)],
            tags={tag["key"]: tag["value"] for tag in parameters.get("tags") or []},
        )
        self.services[cluster, name] = service
        # Application Auto Scaling and the tagging API, which are moto's, look for services there.
        backend("ecs").services[f"{cluster}:{name}"] = SimpleNamespace(
            name=name,
            arn=service.arn,
            physical_resource_id=service.arn,
            tags=[],
            cluster_arn=service.cluster_arn,
            cluster_name=cluster,
            status="ACTIVE",
        )
        self._wake()
        return {"service": self._render(service)}

    def update_service(self, call: Call) -> dict[str, Any]:
        parameters = call.parameters
        service = self.find(parameters.get("cluster"), str(parameters["service"]))
        if service.status != "ACTIVE":
            raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
        definition = service.primary.definition
        if parameters.get("taskDefinition"):
            definition = definitions.task_definition(str(parameters["taskDefinition"]))
        changed = any(
            parameters.get(name) is not None and parameters[name] != service.settings.get(name)
            for name in ROLLED_OUT
        )
        changed |= definition["taskDefinitionArn"] != service.primary.definition["taskDefinitionArn"]
        kept = {key: value for key, value in parameters.items() if key not in {"cluster", "service"}}
        service.settings.update({key: value for key, value in kept.items() if value is not None})
        if parameters.get("desiredCount") is not None:
            service.desired = int(parameters["desiredCount"])
        if changed or parameters.get("forceNewDeployment"):
            roll_out(service, Deployment(definition))
        service.steady = False
        self._wake()
        return {"service": self._render(service)}

    def delete_service(self, call: Call) -> dict[str, Any]:
        service = self.find(call.parameters.get("cluster"), str(call.parameters["service"]))
        if service.desired and not call.parameters.get("force"):
            raise AwsError(
                "InvalidParameterException", "The service cannot be stopped while it is scaled above 0."
            )
        service.desired = 0
        service.status = "DRAINING"
        backend("ecs").services.pop(f"{service.cluster}:{service.name}", None)
        self._wake()
        return {"service": self._render(service)}

    def describe_services(self, call: Call) -> dict[str, Any]:
        cluster = definitions.cluster_name(call.parameters.get("cluster"))
        wanted = call.parameters.get("services") or []
        if not wanted:
            raise AwsError("InvalidParameterException", "Services cannot be empty.")
        if len(wanted) > MAX_DESCRIBED:
            raise AwsError("InvalidParameterException", "Services cannot have more than 10 elements.")
        tags = "TAGS" in (call.parameters.get("include") or [])
        found, failures = [], []
        for reference in wanted:
            service = self.services.get((cluster, reference.rsplit("/", 1)[-1]))
            if service:
                found.append(self._render(service, tags=tags))
            else:
                arn = reference if reference.startswith("arn:") else f"{ARN}:service/{cluster}/{reference}"
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"services": found, "failures": failures}

    def list_services(self, call: Call) -> dict[str, Any]:
        cluster = definitions.cluster_name(call.parameters.get("cluster"))
        arns = [
            each.arn for each in self.services.values() if each.cluster == cluster and each.status == "ACTIVE"
        ]
        size = int(call.parameters.get("maxResults") or PAGE)
        first = int(call.parameters.get("nextToken") or 0)
        answer: dict[str, Any] = {"serviceArns": arns[first : first + size]}
        if first + size < len(arns):
            answer["nextToken"] = str(first + size)
        return answer

    def find(self, cluster: str | None, reference: str) -> Service:
        """A service by name or ARN. Raises `AwsError` (ServiceNotFoundException)."""
        service = self.services.get((definitions.cluster_name(cluster), reference.rsplit("/", 1)[-1]))
        if service is None:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        return service

    def tasks_of(self, service: Service) -> list[Task]:
        return [t for t in self._store.active() if t.service == service.name and t.cluster == service.cluster]

    def _render(self, service: Service, *, tags: bool = False) -> dict[str, Any]:
        return service.render(_counts(self.tasks_of(service)), tags=tags)


def roll_out(service: Service, deployment: Deployment) -> None:
    """Make a deployment the service's primary one; the others become ACTIVE until their tasks are gone."""
    for each in service.deployments:
        each.status = "ACTIVE"
    service.deployments.insert(0, deployment)
    service.steady = False


def _counts(tasks: Iterable[Task]) -> dict[str, tuple[int, int]]:
    counts: dict[str, tuple[int, int]] = {}
    for task in tasks:
        running, pending = counts.get(task.deployment, (0, 0))
        if task.last_status == "RUNNING":
            running += 1
        elif task.last_status in {"PROVISIONING", "PENDING", "ACTIVATING"}:
            pending += 1
        counts[task.deployment] = (running, pending)
    return counts


def _check_load_balancers(load_balancers: list[dict[str, Any]], definition: dict[str, Any]) -> None:
    groups = backend("elbv2").target_groups
    containers = {each["name"]: each for each in definition["containerDefinitions"]}
    for each in load_balancers:
        arn = each.get("targetGroupArn", "")
        if arn not in groups:
            raise AwsError(
                "InvalidParameterException",
                f"Unable to assume the service linked role: target group {arn} does not exist.",
            )
        if not groups[arn].load_balancer_arns:
            raise AwsError(
                "InvalidParameterException",
                f"The target group with targetGroupArn {arn} does not have an associated load balancer.",
            )
        container = containers.get(str(each.get("containerName")))
        if container is None:
            raise AwsError(
                "InvalidParameterException",
                f"The container {each.get('containerName')} does not exist in the task definition.",
            )
        ports = {mapping.get("containerPort") for mapping in container.get("portMappings") or []}
        if each.get("containerPort") not in ports:
            raise AwsError(
                "InvalidParameterException",
                f"The container {each.get('containerName')} did not have a container port "
                f"{each.get('containerPort')} defined.",
            )
