"""The ports between the load balancer and the control plane: what listens, what is called, what answers."""

from __future__ import annotations

from outpost.names import CONTROL_PLANE_PORT
from runbooks.definitions import deploy, with_environment
from runbooks.model import Evidence
from runbooks.observations import Region
from runbooks.remedies import Plan


def listens(region: Region) -> str:
    """The port that the control plane's settings tell it to listen on."""
    return region.containers.definition().environment.get("PORT", str(CONTROL_PLANE_PORT))


def mapped(region: Region) -> str:
    """The port of its container that the task definition opens."""
    mappings = region.containers.definition().container.get("portMappings") or [{}]
    return str(mappings[0].get("containerPort") or CONTROL_PLANE_PORT)


def disagreeing(region: Region) -> list[Evidence]:
    """Whatever names another port than the one that is listened on."""
    name, listening, opened = region.containers.definition().name, listens(region), mapped(region)
    found = []
    if listening != opened:
        found.append(Evidence("ecs:DescribeTaskDefinition", name, f"PORT={listening}", opened))
    for wired in region.containers.service().get("loadBalancers", []):
        if str(wired["containerPort"]) != listening:
            saw, expected = f"it calls port {wired['containerPort']}", "the PORT of the task definition"
            found.append(Evidence("ecs:DescribeServices", "load balancer", saw, expected))
    group = region.balancer.target_group()
    probe = str(group.get("HealthCheckPort", "traffic-port"))
    if probe not in ("traffic-port", listening):
        saw = f"health checks on {probe}"
        found.append(Evidence("elbv2:DescribeTargetGroups", group["TargetGroupName"], saw, listening))
    return found


def unhealthy(region: Region) -> list[Evidence]:
    """Targets that the load balancer finds unhealthy, and why."""
    found = []
    for target in region.balancer.unhealthy()[:2]:
        place, health = target["Target"], target["TargetHealth"]
        why = f"unhealthy: {health.get('Description') or health.get('Reason')}"
        where = f"{place['Id']}:{place.get('Port')}"
        found.append(Evidence("elbv2:DescribeTargetHealth", where, why, "healthy"))
    return found


def align(region: Region) -> Plan | None:
    """Listen on the port that the service and the task definition agree on; None where they do not."""
    wired = str(region.containers.service()["loadBalancers"][0]["containerPort"])
    if wired != mapped(region):
        return None
    return deploy(region, with_environment(region.containers.definition(), {"PORT": wired}))
