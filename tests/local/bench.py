"""A small stack made by boto3, on which the local region's own tests run tasks."""

import json
import sys
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

from local.testing import LocalRegion

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_numbers = count(1)


@dataclass
class Bench:
    """A cluster in a VPC of its own. Each name is used once, so that tests do not meet."""

    region: LocalRegion
    number: int = field(default_factory=lambda: next(_numbers))

    def __post_init__(self) -> None:
        ec2 = self.region.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.make_subnet("10.0.10.0/24", "us-east-1a")
        self.group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=self.vpc)[
            "GroupId"
        ]
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        gateway = ec2.create_nat_gateway(SubnetId=self.subnet, AllocationId=address)["NatGateway"][
            "NatGatewayId"
        ]
        self.route_table = ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(
            RouteTableId=self.route_table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway
        )
        ec2.associate_route_table(RouteTableId=self.route_table, SubnetId=self.subnet)
        self.cluster = f"bench-{self.number}"
        self.region.client("ecs").create_cluster(clusterName=self.cluster)
        self.log_group = f"/ecs/bench-{self.number}"
        self.region.client("logs").create_log_group(logGroupName=self.log_group)

    def make_subnet(self, cidr: str, zone: str) -> str:
        subnet = self.region.client("ec2").create_subnet(
            VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=zone
        )
        return str(subnet["Subnet"]["SubnetId"])

    @cached_property
    def execution_role(self) -> str:
        return self.make_role(f"execution-{self.number}", EVERYTHING)

    def make_role(self, name: str, policy: dict[str, Any] | None) -> str:
        iam = self.region.client("iam")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        if policy:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        return str(role)

    def program(self, source: str, *, name: str = "") -> str:
        """An image that runs Python source; its name."""
        image = name or f"program-{self.number}-{next(_numbers)}"
        self.region.fault("image", repository=image, argv=[sys.executable, "-c", source])
        return image

    def register(self, image: str, family: str = "", **container: Any) -> str:
        """Register a task definition with one container; its family. `task_` arguments are the task's."""
        family = family or f"family-{self.number}-{next(_numbers)}"
        task = {
            key.removeprefix("task_"): container.pop(key)
            for key in list(container)
            if key.startswith("task_")
        }
        options = {
            "awslogs-group": self.log_group,
            "awslogs-region": "us-east-1",
            "awslogs-stream-prefix": "test",
        }
        definition = {
            "name": "main",
            "image": f"registry/{image}:1",
            "essential": True,
            "logConfiguration": {"logDriver": "awslogs", "options": options},
            **container,
        }
        request = {
            "family": family,
            "cpu": "256",
            "memory": "512",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "executionRoleArn": self.execution_role,
            "containerDefinitions": [definition],
            **task,
        }
        self.region.client("ecs").register_task_definition(**request)
        return family

    @property
    def network(self) -> dict[str, Any]:
        return {"awsvpcConfiguration": {"subnets": [self.subnet], "securityGroups": [self.group]}}

    def run(self, family: str, **request: Any) -> str:
        """RunTask; the task's ARN."""
        answer = self.region.client("ecs").run_task(
            **{
                "cluster": self.cluster,
                "taskDefinition": family,
                "launchType": "FARGATE",
                "networkConfiguration": self.network,
                **request,
            }
        )
        assert not answer["failures"], answer["failures"]
        return str(answer["tasks"][0]["taskArn"])

    def describe(self, task: str) -> dict[str, Any]:
        answer = self.region.client("ecs").describe_tasks(
            cluster=self.cluster, tasks=[task], include=["TAGS"]
        )
        return dict(answer["tasks"][0])

    def await_status(self, task: str, status: str) -> dict[str, Any]:
        """The task, once it is `status`."""

        def look() -> dict[str, Any] | None:
            described = self.describe(task)
            return described if described["lastStatus"] == status else None

        found = self.region.wait_for(look, what=f"{task} {status}")
        assert found is not None
        return found

    def log(self, task: str) -> list[str]:
        """The task's log lines so far."""
        logs = self.region.client("logs")
        stream = f"test/main/{task.rsplit('/', 1)[-1]}"
        try:
            answer = logs.get_log_events(
                logGroupName=self.log_group, logStreamName=stream, startFromHead=True
            )
        except logs.exceptions.ResourceNotFoundException:  # the task has not come so far
            return []
        return [event["message"] for event in answer["events"]]

    def event_queue(self) -> str:
        """A queue that gets this cluster's task events; its URL."""
        sqs, events = self.region.client("sqs"), self.region.client("events")
        name = f"events-{self.number}-{next(_numbers)}"
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        cluster = f"arn:aws:ecs:us-east-1:123456789012:cluster/{self.cluster}"
        pattern = {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {"clusterArn": [cluster]},
        }
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        return str(url)

    def receive(self, url: str) -> list[dict[str, Any]]:
        """Receive and delete what there is, waiting for a second."""
        sqs = self.region.client("sqs")
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
            "Messages", []
        )
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]
