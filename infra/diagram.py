"""The architecture's diagram, drawn from what the program declares: who may connect to whom, and call what.

An arrow is a security-group rule, a statement of a role's policy, a secret that a task is given, an event
rule's target, or a queue's dead-letter queue. Nothing is drawn that is not declared.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.rendering import Declared, Rendered

WORLD, INTERNET, EMAIL = "world", "internet", "people"
BALANCER, CONTROL_PLANE, AGENTS, WORKSPACES = "balancer", "control_plane", "agents", "workspaces"
ENDPOINTS = "endpoints"
# The security groups, by their names in the program, and who wears them.
WEARERS = {
    "firewall-alb": BALANCER,
    "firewall-control-plane": CONTROL_PLANE,
    "firewall-worker": AGENTS,
    "firewall-efs": WORKSPACES,
    "endpoints": ENDPOINTS,
}
# A box for each kind of resource that an arrow can end at: title, and the types that are in it.
BOXES = {
    "tables": ("DynamoDB", "aws:dynamodb/table:Table"),
    "buckets": ("S3", "aws:s3/bucket:Bucket"),
    "secrets": ("Secrets Manager", "aws:secretsmanager/secret:Secret"),
    "images": ("ECR", "aws:ecr/repository:Repository"),
    "topic": ("SNS", "aws:sns/topic:Topic"),
    "key": ("KMS", "aws:kms/key:Key"),
}


@dataclass
class Graph:
    """Nodes with their labels, and arrows with what they stand for."""

    nodes: dict[str, str] = field(default_factory=dict)
    arrows: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def arrow(self, source: str, target: str, label: str) -> None:
        """Draw an arrow; several between the same nodes become one."""
        self.arrows.setdefault((source, target), set()).add(label)

    def mermaid(self) -> str:
        """The graph in Mermaid's language, in one order whatever the order of declaration."""
        lines = ["flowchart LR"]
        lines += [f'  {key}["{self.nodes[key]}"]' for key in sorted(self.nodes)]
        for (source, target), labels in sorted(self.arrows.items()):
            lines.append(f'  {source} -->|"{", ".join(sorted(labels))}"| {target}')
        return "\n".join(lines)


def draw(stack: Declared) -> Graph:
    """The graph of a stack."""
    graph = Graph()
    places = _nodes(stack, graph)
    for source, target, label in (
        *_connections(stack),
        *_calls(stack, places),
        *_events(stack, places),
        *_dead_letters(stack, places),
        *_task_secrets(stack, places),
        *_alarms(stack, places),
    ):
        graph.arrow(source, target, label)
    used = {node for arrow in graph.arrows for node in arrow}
    graph.nodes = {key: label for key, label in graph.nodes.items() if key in used}
    return graph


def _nodes(stack: Declared, graph: Graph) -> dict[str, str]:
    """Adds the nodes; returns which node stands for a resource, by ARN."""
    graph.nodes |= {
        WORLD: "Clients",
        INTERNET: "Internet: AWS APIs, GitHub, model providers",
        EMAIL: "On call",
        BALANCER: "Application Load Balancer",
        ENDPOINTS: "Interface endpoints",
        "alarms": "CloudWatch alarms and dashboard",
        "logs": "CloudWatch Logs",
        WORKSPACES: "EFS workspaces",
        CONTROL_PLANE: "Control plane<br/>ECS service on Fargate",
    }
    definitions = stack.of("aws:ecs/taskDefinition:TaskDefinition")
    families = [d for d in definitions if d.inputs.get("taskRoleArn") is None]
    graph.nodes[AGENTS] = "Agents<br/>" + "<br/>".join(
        f"{d.inputs['family']}: {d.inputs['memory']} MB" for d in families
    )
    places = {d.outputs["arn"]: AGENTS for d in families}
    for key, (title, token) in BOXES.items():
        found = stack.of(token)
        graph.nodes[key] = f"{title}<br/>" + "<br/>".join(_title(resource) for resource in found)
        places |= {resource.outputs["arn"]: key for resource in found}
    for queue in stack.of("aws:sqs/queue:Queue"):
        key = queue.name.replace("-", "_")
        graph.nodes[key] = f"SQS<br/>{queue.inputs['name']}"
        places[queue.outputs["arn"]] = key
    places |= {group.outputs["arn"]: "logs" for group in stack.of("aws:cloudwatch/logGroup:LogGroup")}
    return places


def _title(resource: Rendered) -> str:
    return str(resource.inputs.get("name") or resource.inputs.get("bucket") or resource.name)


def _connections(stack: Declared) -> Iterator[tuple[str, str, str]]:
    """Who may open a connection to whom: the rules of the security groups."""
    groups = stack.of("aws:ec2/securityGroup:SecurityGroup")
    wearers = {group.outputs["id"]: WEARERS[group.name] for group in groups}
    for rule in stack.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"):
        owner = wearers[rule.inputs["securityGroupId"]]
        peer = rule.inputs.get("referencedSecurityGroupId")
        yield wearers[peer] if peer else WORLD, owner, f"TCP {rule.inputs['fromPort']:g}"
    for rule in stack.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"):
        if "cidrIpv4" in rule.inputs:
            yield wearers[rule.inputs["securityGroupId"]], INTERNET, f"TCP {rule.inputs['fromPort']:g}"


def _calls(stack: Declared, places: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What the control plane may call: each statement of its task role's policies."""
    (role,) = [role for role in stack.of("aws:iam/role:Role") if role.name == "control-plane-task"]
    for policy in stack.of("aws:iam/rolePolicy:RolePolicy"):
        if policy.inputs["role"] != role.inputs["name"]:
            continue
        for statement in json.loads(policy.inputs["policy"])["Statement"]:
            for arn in statement.get("Resource", ()):
                target = _place(arn, places)
                if target:
                    yield CONTROL_PLANE, target, _verbs(statement["Action"])


def _place(arn: str, places: Mapping[str, str]) -> str | None:
    """The node of an ARN that may go on below a resource's own, or name a family's every revision."""
    for known, node in places.items():
        if arn == known or arn.startswith((f"{known}/", f"{known}:")):
            return node
    return AGENTS if ":task-definition/" in arn or ":task/" in arn else None


def _verbs(actions: list[str]) -> str:
    """Actions in short: the first two, and how many more."""
    names = sorted(action.partition(":")[2] for action in actions)
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _events(stack: Declared, places: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Which queue or topic hears of the tasks' state changes."""
    for target in stack.of("aws:cloudwatch/eventTarget:EventTarget"):
        yield AGENTS, places[target.inputs["arn"]], "EventBridge: task state change"


def _dead_letters(stack: Declared, places: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for queue in stack.of("aws:sqs/queue:Queue"):
        if "redrivePolicy" in queue.inputs:
            redrive: dict[str, Any] = json.loads(queue.inputs["redrivePolicy"])
            label = f"after {redrive['maxReceiveCount']:g} receives"
            yield places[queue.outputs["arn"]], places[redrive["deadLetterTargetArn"]], label


def _task_secrets(stack: Declared, places: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What ECS puts into a container when it starts."""
    for definition in stack.of("aws:ecs/taskDefinition:TaskDefinition"):
        node = CONTROL_PLANE if definition.inputs.get("taskRoleArn") else AGENTS
        for container in json.loads(definition.inputs["containerDefinitions"]):
            yield "images", node, "image"
            yield node, "logs", "output"
            if container["secrets"]:
                yield "secrets", node, "own key at start" if node == AGENTS else "token key at start"


def _alarms(stack: Declared, places: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    count = len(stack.of("aws:cloudwatch/metricAlarm:MetricAlarm"))
    yield "alarms", "topic", f"{count} alarms"
    for _ in stack.of("aws:sns/topicSubscription:TopicSubscription"):
        yield "topic", EMAIL, "e-mail"
