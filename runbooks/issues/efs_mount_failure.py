"""EFS mount failure: a task with a persistent workspace cannot mount it."""

from __future__ import annotations

from outpost.names import NFS_PORT
from runbooks.alarms import stopped_tasks
from runbooks.definitions import deploy, with_environment
from runbooks.looking import Absent, Answer
from runbooks.model import Evidence, Judgement, Runbook, Severity, fail, ok, warn
from runbooks.observations import Region
from runbooks.observations.network import allows_port
from runbooks.remedies import Action, Call, Plan

RUNBOOK = Runbook(
    issue="efs-mount-failure",
    title="EFS mount failure",
    section="AWS infrastructure",
    symptoms=('Task fails with "mount: mounting failed"', "Workspace not available"),
    alarm=stopped_tasks("ResourceInitializationError: failed to invoke EFS utils commands"),
    severity=Severity.DISPATCHES,
)


def _uncovered(region: Region) -> list[Answer]:
    """The workers' subnets in whose availability zone the file system cannot be mounted."""
    zones = {
        target["AvailabilityZoneName"]
        for target in region.files.mount_targets()
        if target.get("LifeCycleState") in ("available", "creating", "updating")
    }
    return [subnet for subnet in region.network.worker_subnets() if subnet["AvailabilityZone"] not in zones]


def _file_system_group(region: Region) -> str:
    """The security group for mount targets: that of the others, or the one with the stack's name."""
    for target in region.files.mount_targets():
        groups = region.files.security_groups(target)
        if groups:
            return groups[0]
    for group in region.network.security_groups().values():
        if group.get("GroupName") == region.names.file_system_security_group:
            return str(group["GroupId"])
    return ""


def _create_mount_targets(region: Region) -> Plan | None:
    group = _file_system_group(region)
    if not group:
        return None
    identifier = region.files.file_system()["FileSystemId"]
    by_zone = {subnet["AvailabilityZone"]: subnet for subnet in _uncovered(region)}
    actions = tuple(
        Action(
            Call(
                "efs:CreateMountTarget",
                {"FileSystemId": identifier, "SubnetId": subnet["SubnetId"], "SecurityGroups": [group]},
            )
        )
        for subnet in by_zone.values()
    )
    return Plan(actions=actions, settle=120)  # EFS takes up to two minutes to make one available


@RUNBOOK.cause(
    "no-mount-target",
    guide="No mount target in AZ",
    solution="Create mount target.",
    remedy=_create_mount_targets,
)
def no_mount_target(region: Region) -> Judgement:
    """The file system has no mount target in an availability zone where workers run."""
    try:
        uncovered = _uncovered(region)
    except Absent as absent:
        return fail(
            f"there is no {absent.detail}",
            Evidence(absent.operation, absent.detail, absent.code, "the workspaces' file system"),
        )
    if not uncovered:
        return ok(f"{len(region.files.mount_targets())} mount targets, one in every zone of the workers")
    zones = sorted({subnet["AvailabilityZone"] for subnet in uncovered})
    return fail(
        f"no mount target in {', '.join(zones)}",
        *(
            Evidence(
                "efs:DescribeMountTargets",
                region.files.file_system()["FileSystemId"],
                f"none in {subnet['AvailabilityZone']}",
                f"one for {subnet['SubnetId']}",
            )
            for subnet in uncovered
        ),
    )


def _blocked(region: Region) -> list[tuple[str, str, Evidence]]:
    """Direction, security group and evidence of each side that does not let NFS through."""
    worker = region.network.worker_security_group()
    groups = region.network.security_groups()
    blocked = []
    owners: set[str] = set()
    for target in region.files.mount_targets():
        mine = region.files.security_groups(target)
        owners |= set(mine)
        open_to_workers = any(
            allows_port(
                groups.get(owner, {}).get("IpPermissions", []),
                NFS_PORT,
                group=worker["GroupId"],
                address=subnet["CidrBlock"],
            )
            for owner in mine
            for subnet in region.network.worker_subnets()
        )
        if not open_to_workers:
            own = ", ".join(region.network.label(owner) for owner in mine)
            saw = f"{own or 'no security group'} has no ingress rule for {NFS_PORT}"
            expected = f"TCP {NFS_PORT} from {region.network.label(worker['GroupId'])}"
            evidence = Evidence("ec2:DescribeSecurityGroups", target["MountTargetId"], saw, expected)
            blocked.append(("Ingress", mine[0] if mine else "", evidence))
    rules = worker.get("IpPermissionsEgress", [])
    for owner in sorted(owners):
        addresses = [f"{target['IpAddress']}/32" for target in region.files.mount_targets()]
        if not any(allows_port(rules, NFS_PORT, group=owner, address=address) for address in addresses):
            saw = f"no egress rule for {NFS_PORT}"
            expected = f"TCP {NFS_PORT} to {region.network.label(owner)}"
            who = region.network.label(worker["GroupId"])
            evidence = Evidence("ec2:DescribeSecurityGroups", who, saw, expected)
            blocked.append(("Egress", owner, evidence))
    return blocked


def _allow_nfs(region: Region) -> Plan | None:
    worker = region.network.worker_security_group()["GroupId"]
    actions: dict[tuple[str, str], Action] = {}
    for direction, owner, _ in _blocked(region):
        if not owner:
            return None  # a mount target without a security group: a person has to choose one
        group, peer = (owner, worker) if direction == "Ingress" else (worker, owner)
        permission = {
            "IpProtocol": "tcp",
            "FromPort": NFS_PORT,
            "ToPort": NFS_PORT,
            "UserIdGroupPairs": [{"GroupId": peer}],
        }
        parameters = {"GroupId": group, "IpPermissions": [permission]}
        actions[(direction, owner)] = Action(
            Call(f"ec2:AuthorizeSecurityGroup{direction}", parameters),
            Call(f"ec2:RevokeSecurityGroup{direction}", parameters),
        )
    return Plan(actions=tuple(actions.values()))


@RUNBOOK.cause(
    "nfs-blocked",
    guide="Security group blocking",
    solution="Allow NFS (port 2049).",
    remedy=_allow_nfs,
)
def nfs_blocked(region: Region) -> Judgement:
    """2049 is closed between the workers and the file system."""
    blocked = _blocked(region)
    if not blocked:
        return ok(f"{NFS_PORT} is open from the workers to every mount target")
    evidence = [item for _, _, item in blocked]
    return fail(f"{evidence[0].resource}: {evidence[0].saw}", *evidence)


def _is_public(region: Region, subnet: Answer) -> bool:
    route = region.network.default_route(subnet) or {}
    return str(route.get("GatewayId", "")).startswith("igw-")


def _use_mount_subnets(region: Region) -> Plan | None:
    """Launch workers where the mount targets are, if those subnets are private."""
    subnets = region.network.subnets([target["SubnetId"] for target in region.files.mount_targets()])
    private = sorted(subnet["SubnetId"] for subnet in subnets if not _is_public(region, subnet))
    astray = [subnet for subnet in region.network.worker_subnets() if _is_public(region, subnet)]
    if not private or not astray:
        return None
    definition = region.containers.definition()
    return deploy(region, with_environment(definition, {"WORKER_SUBNETS": ",".join(private)}))


@RUNBOOK.cause(
    "wrong-subnet",
    guide="Wrong subnet",
    solution="Use private subnet with mount target.",
    remedy=_use_mount_subnets,
    explains=(
        "dispatch-stuck-pending/egress-blocked",
        "efs-mount-failure/no-mount-target",
        "slow-responses/missing-vpc-endpoints",
    ),
)
def wrong_subnet(region: Region) -> Judgement:
    """A mount target, or the workers, are in a subnet that is not theirs."""
    workers = region.network.worker_subnets()
    evidence = [
        Evidence(
            "ec2:DescribeRouteTables", subnet["SubnetId"], "workers run in a public subnet", "a private one"
        )
        for subnet in workers
        if _is_public(region, subnet)
    ]
    targets = region.files.mount_targets()
    placed = {
        subnet["SubnetId"]: subnet for subnet in region.network.subnets([t["SubnetId"] for t in targets])
    }
    network = {subnet["VpcId"] for subnet in workers}
    misplaced = []
    for target in targets:
        subnet = placed[target["SubnetId"]]
        where = f"{target['MountTargetId']} in {subnet['SubnetId']}"
        if subnet["VpcId"] not in network:
            evidence.append(Evidence("efs:DescribeMountTargets", where, subnet["VpcId"], ", ".join(network)))
        elif _is_public(region, subnet):
            misplaced.append(
                Evidence("ec2:DescribeRouteTables", where, "a public subnet", "a private subnet")
            )
    if evidence:
        return fail(f"{evidence[0].resource}: {evidence[0].saw}", *evidence, *misplaced)
    if misplaced:
        return warn(f"{misplaced[0].resource}: {misplaced[0].saw}", *misplaced)
    return ok("workers and mount targets are in the private subnets of one network")
