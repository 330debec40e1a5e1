"""Why a task did not start: what RunTask answers, and what ECS writes to `stoppedReason`.

Wording as in "Amazon ECS stopped tasks error messages" and "RunTask" of the ECS documentation. The most
specific sign stands first.
"""

from outpost.signs import Sign, sign

_PENDING, _FAST, _EFS = "dispatch-stuck-pending", "agent-fails-immediately", "efs-mount-failure"
_NO_ANSWER = r"(?:i/o timeout|dial tcp|context deadline exceeded|connection (?:timed out|refused))"

LAUNCH: tuple[Sign, ...] = (
    sign(
        _PENDING,
        "vcpu-quota-exhausted",
        r"limit on the number of (?:vCPUs|tasks) you can run concurrently",
        summary="The account's Fargate vCPU quota (L-3032A538) is used up.",
        remedy="Request a quota increase.",
        may_relaunch=True,
    ),
    sign(
        _PENDING,
        "task-definition-missing",
        r"TaskDefinition is inactive",
        r"TaskDefinition not found",
        r"Unable to (?:find|describe) task definition",
        summary="There is no active task definition for this agent.",
        remedy="Deploy the stack, which registers it.",
        may_relaunch=True,
    ),
    sign(
        _PENDING,
        "subnet-exhausted",
        r"InsufficientFreeAddressesInSubnet",
        r"not have enough free addresses",
        r"no free (?:ip )?addresses",
        summary="The workers' subnets have no free IP address.",
        remedy="Add subnets with free addresses, or wait until tasks have ended.",
        may_relaunch=True,
    ),
    sign(
        _FAST,
        "api-key-missing",
        r"ResourceInitializationError.*(?:ResourceNotFoundException|can't find the specified secret value)",
        summary="The agent's API key has no value in Secrets Manager.",
        remedy="Populate Secrets Manager with the key.",
    ),
    sign(
        _FAST,
        "api-key-missing",
        r"ResourceInitializationError.*secret.*AccessDenied",
        summary="The task's execution role may not read the agent's secret.",
        remedy="Deploy the stack, which allows each agent's execution role its own secret.",
    ),
    sign(
        _EFS,
        "no-mount-target",
        r"(?:Failed to resolve|could not resolve|cannot resolve)[^.]*\bfs-",
        r"mount target.*not found",
        summary="The file system has no mount target in the task's availability zone.",
        remedy="Create a mount target there.",
    ),
    sign(
        _EFS,
        "nfs-blocked",
        r"mount(?:\.nfs4?|: mounting failed)[^\n]*(?:timed out|timeout)",
        r"\bEFS\b.*Connection timed out",
        summary="The file system did not answer on NFS (port 2049).",
        remedy="Allow NFS (port 2049) from the worker security group.",
    ),
    sign(
        _EFS,
        "",
        r"failed to invoke EFS utils",
        r"mount: mounting failed",
        r"mount\.nfs4?:",
        summary="The workspace could not be mounted.",
        remedy="Run diagnose --issue efs-mount-failure.",
        code="mount-failed",
    ),
    sign(
        _PENDING,
        "egress-blocked",
        rf"(?:ResourceInitializationError|CannotPullContainerError).*{_NO_ANSWER}",
        summary="The task could not reach AWS: no egress, or no route out of its subnet.",
        remedy="Verify that the worker security group allows egress, and the subnet's route to the NAT.",
        may_relaunch=True,
    ),
    sign(
        "",
        "",
        r"CannotPullContainerError.*(?:not found|manifest unknown|does not exist)",
        summary="The agent's image is not in its repository.",
        remedy="Push the image, or deploy a tag that exists.",
        code="image-not-found",
    ),
    sign(
        "",
        "",
        r"CannotPullContainerError",
        summary="The agent's image could not be pulled.",
        remedy="Check the image repository and the execution role's permissions on it.",
        code="image-pull-failed",
        may_relaunch=True,
    ),
    sign(
        _PENDING,
        "",
        r"RESOURCE:ENI",
        r"(?:network interface|ENI) provisioning",
        summary="AWS could not attach a network interface in time.",
        remedy="It is tried again.",
        code="network-interface",
        may_relaunch=True,
    ),
    sign(
        _PENDING,
        "",
        r"Capacity is unavailable",
        r"RESOURCE:(?:CPU|MEMORY|FARGATE)",
        summary="AWS has no Fargate capacity in the zone now.",
        remedy="It is tried again.",
        code="capacity-unavailable",
        may_relaunch=True,
    ),
    sign(
        _PENDING,
        "",
        r"ThrottlingException",
        r"Rate exceeded",
        r"TooManyRequests",
        summary="AWS throttled the launch.",
        remedy="It is tried again, more slowly.",
        code="launch-throttled",
        may_relaunch=True,
    ),
)
