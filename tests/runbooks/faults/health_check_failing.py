"""Faults that make the health check fail."""

import json

from outpost.names import TASK_ROLE
from runbooks.issues.health_check_failing import STARTUP
from tests.runbooks.faults.stack import Fault, Stack, changed, with_variables, without_variable


def missing_environment(stack: Stack) -> None:
    definition = stack.definition()
    stack.deploy(changed(definition, environment=without_variable(definition, "JOBS_TABLE")))


def memory_exhausted(stack: Stack) -> None:
    """Killed for its memory long after it started."""
    stack.undo.callback(stack.steady)
    stack.undo.callback(stack.update_service, taskDefinition=stack.service()["taskDefinition"])
    stack.aged(STARTUP + 1)
    stack.region.fault("oom", task="outpost-control-plane")
    stack.stopped()


def port_mismatch(stack: Stack) -> None:
    definition = stack.definition()
    stack.deploy(changed(definition, environment=with_variables(definition, PORT="9090")))


def dynamodb_unreachable(stack: Stack) -> None:
    iam, name = stack.client("iam"), "dynamodb-access"
    before = iam.get_role_policy(RoleName=TASK_ROLE, PolicyName=name)["PolicyDocument"]
    stack.undo.callback(
        iam.put_role_policy, RoleName=TASK_ROLE, PolicyName=name, PolicyDocument=json.dumps(before)
    )
    iam.delete_role_policy(RoleName=TASK_ROLE, PolicyName=name)


FAULTS = (
    Fault("health-check-failing/missing-environment", missing_environment, mended=True),
    Fault("health-check-failing/memory-exhausted", memory_exhausted, mended=True),
    Fault("health-check-failing/port-mismatch", port_mismatch, mended=True),
    Fault("health-check-failing/dynamodb-unreachable", dynamodb_unreachable, mended=True),
)
