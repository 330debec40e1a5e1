"""Faults that keep a dispatch in PENDING."""

from outpost.agents import Agent
from outpost.names import family
from runbooks.definitions import registration
from tests.runbooks.faults.stack import STEADY, Fault, Stack, unless_done


def vcpu_quota_exhausted(stack: Stack) -> None:
    """A new account's quota: no room for a claude beside the control plane. A request raises it."""
    stack.undo.callback(stack.region.fault, "quota", value=4000.0)
    stack.region.fault("quota", value=1.0)
    waiting = stack.dispatch("wait for the quota", ends=False)["dispatchId"]
    stack.region.wait_for(lambda: _waits(stack, waiting), STEADY, "a waiting reason")


def _waits(stack: Stack, identity: str) -> bool:
    item = stack.client("dynamodb").get_item(
        TableName=stack.names.jobs_table, Key={"tenantId": {"S": "demo"}, "dispatchId": {"S": identity}}
    )
    return "waitingReason" in item.get("Item", {})


def task_definition_missing(stack: Stack) -> None:
    ecs = stack.client("ecs")
    definition = stack.definition(family(Agent.GROK))
    ecs.deregister_task_definition(taskDefinition=definition.arn)
    stack.undo.callback(_register_if_missing, stack, registration(definition))


def _register_if_missing(stack: Stack, parameters: dict[str, object]) -> None:
    ecs = stack.client("ecs")
    if not ecs.list_task_definitions(familyPrefix=parameters["family"], status="ACTIVE")[
        "taskDefinitionArns"
    ]:
        ecs.register_task_definition(**parameters)


def subnet_exhausted(stack: Stack) -> None:
    """Every free address of the workers' subnets is taken by a network interface."""
    ec2 = stack.client("ec2")
    subnets = stack.definition().environment["WORKER_SUBNETS"].split(",")
    for subnet in ec2.describe_subnets(SubnetIds=subnets)["Subnets"]:
        for _ in range(subnet["AvailableIpAddressCount"]):
            made = ec2.create_network_interface(SubnetId=subnet["SubnetId"])["NetworkInterface"]
            stack.undo.callback(ec2.delete_network_interface, NetworkInterfaceId=made["NetworkInterfaceId"])


def egress_blocked(stack: Stack) -> None:
    ec2 = stack.client("ec2")
    group = stack.definition().environment["WORKER_SECURITY_GROUP"]
    rules = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]
    https = [rule for rule in rules if rule.get("FromPort") == 443]
    stack.undo.callback(
        unless_done,
        "InvalidPermission.Duplicate",
        ec2.authorize_security_group_egress,
        GroupId=group,
        IpPermissions=https,
    )
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=https)


FAULTS = (
    Fault("dispatch-stuck-pending/vcpu-quota-exhausted", vcpu_quota_exhausted, planned=True),
    Fault("dispatch-stuck-pending/task-definition-missing", task_definition_missing, mended=True),
    Fault("dispatch-stuck-pending/subnet-exhausted", subnet_exhausted),
    Fault("dispatch-stuck-pending/egress-blocked", egress_blocked, mended=True),
)
