"""The load balancer, its target group and the health of its targets; what /health answers."""

from __future__ import annotations

import json

from outpost.names import PUBLIC_URL
from runbooks.looking import Absent, Answer, CouldNotLook, Look
from runbooks.observations.containers import Containers
from runbooks.target import Target


class Balancer:
    def __init__(self, look: Look, target: Target, containers: Containers) -> None:
        self._look = look
        self._target = target
        self._containers = containers

    def load_balancer(self) -> Answer:
        """Raises `Absent`."""
        answer = self._look("elbv2:DescribeLoadBalancers", Names=[self._target.names.load_balancer])
        if not answer.get("LoadBalancers"):
            raise Absent("elbv2:DescribeLoadBalancers", "MISSING", self._target.names.load_balancer)
        found: Answer = answer["LoadBalancers"][0]
        return found

    def attributes(self) -> dict[str, str]:
        """The load balancer's attributes, such as `idle_timeout.timeout_seconds`."""
        arn = self.load_balancer()["LoadBalancerArn"]
        answer = self._look("elbv2:DescribeLoadBalancerAttributes", LoadBalancerArn=arn)
        return {item["Key"]: item["Value"] for item in answer.get("Attributes", [])}

    def idle_timeout(self) -> int:
        """Seconds after which the load balancer closes an idle connection."""
        name = "idle_timeout.timeout_seconds"
        try:
            return int(self.attributes()[name])
        except (KeyError, ValueError) as error:
            raise CouldNotLook("elbv2:DescribeLoadBalancerAttributes", "failed", f"no {name}") from error

    def target_group(self) -> Answer:
        """The target group that the service registers its tasks with. Raises `Absent`."""
        wired = self._containers.service().get("loadBalancers", [])
        if not wired:
            raise Absent("ecs:DescribeServices", "MISSING", "the service has no load balancer")
        answer = self._look("elbv2:DescribeTargetGroups", TargetGroupArns=[wired[0]["targetGroupArn"]])
        if not answer.get("TargetGroups"):
            raise Absent("elbv2:DescribeTargetGroups", "MISSING", wired[0]["targetGroupArn"])
        found: Answer = answer["TargetGroups"][0]
        return found

    def health(self) -> list[Answer]:
        """Each target with its port, state and reason."""
        answer = self._look(
            "elbv2:DescribeTargetHealth", TargetGroupArn=self.target_group()["TargetGroupArn"]
        )
        found: list[Answer] = answer.get("TargetHealthDescriptions", [])
        return found

    def unhealthy(self) -> list[Answer]:
        """Targets that the load balancer found not healthy; those on their way in or out are not counted."""
        return [t for t in self.health() if t.get("TargetHealth", {}).get("State") == "unhealthy"]

    def serves(self) -> bool:
        """Whether a target is healthy, or is looked at for the first time."""
        states = {target.get("TargetHealth", {}).get("State") for target in self.health()}
        return bool(states & {"healthy", "initial"})

    def url(self) -> str:
        """Where the API is: as the environment says, or the stack's domain, or the load balancer's own name.

        With a domain, HTTP redirects to it, and the load balancer's name does not fit its certificate.
        """
        if self._target.api_url:
            return self._target.api_url
        try:
            declared = self._containers.definition().environment.get(PUBLIC_URL, "")
        except (Absent, CouldNotLook):
            declared = ""
        if declared.startswith("https://"):
            return declared
        balancer = self.load_balancer()
        return f"http://{balancer['DNSName']}"

    def api_health(self, url: str = "") -> Answer:
        """What GET /health answers: `status` (HTTP), `document` (JSON object or None), or `error`."""
        answer = self._look("http:Get", url=(url or self.url()) + "/health")
        try:
            document = json.loads(answer.get("body", ""))
        except ValueError:
            document = None
        return {**answer, "document": document if isinstance(document, dict) else None}
