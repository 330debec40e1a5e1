"""What Fargate does before a container starts: registry, secrets, log stream, volumes."""

import json
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.aws.client import Clients
from local.aws.moto_app import REGION
from local.ecs.model import Container, Task
from local.fargate import failures
from local.fargate.reachability import Reachability
from local.fargate.roles import Roles
from local.fargate.volumes import Volumes

SECRET_ARN_PARTS = 7  # arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME[:json-key:stage:version]


class Preparation:
    """Prepares a task for its start. Every method raises `StartError` with Fargate's words."""

    def __init__(self, clients: Clients, roles: Roles, volumes_directory: Path) -> None:
        self._clients = clients
        self._roles = roles
        self._reachability = Reachability(clients)
        self._volumes = Volumes(clients, self._reachability, volumes_directory)

    def registry(self, task: Task) -> None:
        """The registry (and with it Secrets Manager and CloudWatch Logs) can be reached from the subnet."""
        groups = list(task.network.get("securityGroups") or [])
        public = task.network.get("assignPublicIp") == "ENABLED"
        if self._reachability.reaches_internet(groups, task.attachment.subnet, public_ip=public):
            return
        subnet = self._clients.internal("ec2").describe_subnets(SubnetIds=[task.attachment.subnet])[
            "Subnets"
        ][0]
        if not self._reachability.reaches_endpoint(groups, subnet["VpcId"], "ecr.api"):
            raise failures.registry_unreachable(REGION)

    def secrets(self, task: Task, container: Container) -> dict[str, str]:
        """The container's secrets, read with the execution role's permissions."""
        wanted = {each["name"]: each["valueFrom"] for each in container.definition.get("secrets") or []}
        role = task.definition["executionRoleArn"]
        if not wanted:
            return {}
        if not role:
            raise failures.role_not_assumed("")
        client = self._roles.execution_client(role, "secretsmanager")
        return {name: _secret(client, reference) for name, reference in wanted.items()}

    def log_stream(self, task: Task, container: Container) -> tuple[str, str]:
        """The container's log group and stream, created; empty without the awslogs driver."""
        configuration = container.definition.get("logConfiguration") or {}
        options = configuration.get("options") or {}
        if configuration.get("logDriver") != "awslogs":
            return "", ""
        group = str(options.get("awslogs-group", ""))
        stream = f"{options.get('awslogs-stream-prefix', 'ecs')}/{container.name}/{task.id}"
        role = task.definition["executionRoleArn"]
        if not role:
            raise failures.role_not_assumed("")
        logs = self._roles.execution_client(role, "logs")
        try:
            if options.get("awslogs-create-group") == "true":
                _create_group(logs, group)
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        except ClientError as error:
            raise failures.log_group_missing(_code(error), _message(error)) from error
        return group, stream

    def mounts(self, task: Task, container: Container, directory: Path) -> dict[str, str]:
        """Mount the container's volumes under its directory; variables that tell it where."""
        return self._volumes.mount(task, container, directory)


def _secret(client: Any, reference: str) -> str:
    parts = reference.split(":")
    secret_id, key, stage, version = reference, "", "", ""
    if reference.startswith("arn:") and len(parts) > SECRET_ARN_PARTS:
        secret_id = ":".join(parts[:SECRET_ARN_PARTS])
        key, stage, version = [*parts[SECRET_ARN_PARTS:], "", "", ""][:3]
    request = {"SecretId": secret_id}
    if stage:
        request["VersionStage"] = stage
    if version:
        request["VersionId"] = version
    try:
        value = str(client.get_secret_value(**request).get("SecretString", ""))
    except ClientError as error:
        raise failures.secret_unavailable(secret_id, _code(error), _message(error)) from error
    if not key:
        return value
    try:
        return str(json.loads(value)[key])
    except (ValueError, KeyError, TypeError) as error:
        message = f"retrieved secret from Secrets Manager did not contain json key {key}"
        raise failures.secret_unavailable(secret_id, "InvalidParameterException", message) from error


def _create_group(logs: Any, group: str) -> None:
    try:
        logs.create_log_group(logGroupName=group)
    except ClientError as error:
        if _code(error) != "ResourceAlreadyExistsException":
            raise


def _code(error: ClientError) -> str:
    return str(error.response["Error"].get("Code", ""))


def _message(error: ClientError) -> str:
    return str(error.response["Error"].get("Message", ""))
