# ruff: noqa: N802, N803 - methods and parameters are named as AWS names them
"""A healthy stack as AWS would describe it, for checks that judge without a region.

`World` answers reads from plain dictionaries; a test breaks one thing and asks what is found.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from outpost.agents import AGENTS, CONTROL_PLANE
from outpost.control_plane import REQUIRED_ENVIRONMENT
from outpost.names import Names, agent_secret, family
from runbooks.looking import Absent, Answer, Look
from runbooks.observations import Region
from runbooks.observations.dispatches import ulid_at
from runbooks.target import Target

ACCOUNT = "123456789012"
NOW = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)
NAMES = Names("dev")
WORKER, CONTROL, FILES, BALANCER = "sg-worker", "sg-control", "sg-files", "sg-alb"
ROLE = "outpost-ecs-task-role"
LOGGED = timedelta(minutes=14)  # how long ago the log's lines were written, but for what `late` adds (s)


def target(**more: Any) -> Target:
    return Target(names=NAMES, profile=None, **{"now": NOW} | more)


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{rest}"


class World:
    """Answers by operation; each is a function of the parameters. Break it by changing its attributes."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.failing: dict[str, Exception] = {}
        self.environment = dict.fromkeys(REQUIRED_ENVIRONMENT, "x") | {
            "PORT": "8080",
            "JOBS_TABLE": NAMES.jobs_table,
            "API_KEYS_TABLE": NAMES.api_keys_table,
            "AUDIT_TABLE": NAMES.audit_table,
            "WORKSPACES_TABLE": NAMES.workspaces_table,
            "S3_ARTIFACTS_BUCKET": NAMES.artifacts_bucket,
            "WORKER_SUBNETS": "subnet-a,subnet-b",
            "WORKER_SECURITY_GROUP": WORKER,
            "AWS_RETRY_MODE": "standard",
            "AWS_MAX_ATTEMPTS": "5",
            "KEEP_ALIVE_SECONDS": "65",
        }
        self.definitions: dict[str, Answer] = {}
        self.put_control_plane(7)
        for agent, spec in AGENTS.items():
            self.definitions[family(agent)] = definition(
                family(agent),
                3,
                "worker",
                spec.tier.cpu,
                spec.tier.memory,
                {},
                {spec.key_variable: "arn:secret"},
            )
        self.service: Answer = {
            "status": "ACTIVE",
            "serviceName": "outpost-control-plane",
            "desiredCount": 1,
            "runningCount": 1,
            "taskDefinition": arn("ecs", "task-definition/outpost-control-plane:7"),
            "deployments": [{"id": "ecs-svc/1", "status": "PRIMARY", "rolloutState": "COMPLETED"}],
            "loadBalancers": [
                {"targetGroupArn": "tg", "containerName": "control-plane", "containerPort": 8080}
            ],
            "events": [],
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a", "subnet-b"]}},
        }
        self.cluster: Answer = {
            "clusterName": NAMES.cluster,
            "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
            "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
        }
        self.scaling: dict[str, list[Answer]] = {"ecs": [scalable("ecs:service:DesiredCount", 1)]}
        self.endpoints = [endpoint("s3"), endpoint("dynamodb")]
        self.idle_timeout = "60"
        self.bucket_policy = ""
        self.keys: list[Answer] = [api_key("k1")]
        self.table: Answer = {"BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"}}
        self.variables: dict[str, str] = {}
        self.configuration: Answer | None = None
        self.http: dict[str, Answer] = {}
        self.installed: Answer | None = {"version": "2.0.0", "behind": 0.0}
        self.processes: Answer = {"assistants": [], "servers": [], "visible": True}
        self.running = [task("t1", "RUNNING", self.service["taskDefinition"])]
        self.stopped: list[Answer] = []
        self.target_health = [target_health("healthy")]
        self.subnets = {
            name: {
                "SubnetId": name,
                "VpcId": "vpc",
                "CidrBlock": f"10.0.{number}.0/24",
                "AvailabilityZone": f"us-east-1{name[-1]}",
                "AvailableIpAddressCount": 250,
            }
            for number, name in enumerate(("subnet-a", "subnet-b", "public-a"), start=128)
        }
        self.groups = {
            WORKER: group(
                WORKER,
                NAMES.worker_security_group,
                egress=[world_rule(443), peer(8080, CONTROL), peer(2049, FILES)],
            ),
            CONTROL: group(CONTROL, NAMES.control_plane_security_group, ingress=[peer(8080, WORKER)]),
            BALANCER: group(BALANCER, NAMES.load_balancer_security_group, ingress=[world_rule(80)]),
            FILES: group(FILES, NAMES.file_system_security_group, ingress=[peer(2049, WORKER)]),
        }
        self.routes = {
            "rtb-private": (
                ["subnet-a", "subnet-b"],
                [{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat"}],
            ),
            "rtb-public": (["public-a"], [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}]),
        }
        self.nat_state = "available"
        self.mount_targets = [mount_target("a", "subnet-a"), mount_target("b", "subnet-b")]
        self.secrets = {
            agent_secret(agent): {
                "Name": agent_secret(agent),
                "ARN": f"arn:{agent_secret(agent)}",
                "SecretVersionsToStages": {"v": ["AWSCURRENT"]},
            }
            for agent in AGENTS
        }
        self.quota = 16.0
        self.policies = {"dynamodb-access": allow("dynamodb:*", "*"), "s3-access": allow("s3:PutObject", "*")}
        tables = (NAMES.jobs_table, NAMES.api_keys_table, NAMES.audit_table, NAMES.workspaces_table)
        self.tables = dict.fromkeys(tables, "ACTIVE")
        self.jobs: list[Answer] = []
        self.log: dict[str, list[str]] = {}
        self.series: dict[str, list[float]] = {}

    def put_control_plane(self, revision: int, **changes: Any) -> None:
        made = definition(
            "outpost-control-plane", revision, "control-plane", CONTROL_PLANE.cpu, CONTROL_PLANE.memory,
            self.environment, {"WORKER_TOKEN_KEY": "arn:key"},
        ) | changes  # fmt: skip
        self.definitions[f"outpost-control-plane:{revision}"] = made
        self.definitions[made["taskDefinitionArn"]] = made

    def change_container(self, **changes: Any) -> None:
        made = self.definitions[self.service["taskDefinition"]]
        made["containerDefinitions"][0] |= changes

    def region(self, dispatch: str = "", **settings: Any) -> Region:
        return Region(Look(self), target(**settings), dispatch)

    def read(self, operation: str, parameters: Answer) -> Answer:
        self.calls[operation] += 1
        if operation in self.failing:
            raise self.failing[operation]
        name = operation.replace(":", "_").replace("-", "_")
        answer: Callable[..., Answer] = getattr(self, name)
        return copy.deepcopy(answer(**parameters))

    def sts_GetCallerIdentity(self) -> Answer:
        return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/operator"}

    def ecs_DescribeServices(self, **_: Any) -> Answer:
        return {"services": [self.service]}

    def ecs_DescribeClusters(self, **_: Any) -> Answer:
        return {"clusters": [self.cluster]}

    def ecs_ListTasks(self, desiredStatus: str, **_: Any) -> Answer:
        tasks = self.running if desiredStatus == "RUNNING" else self.stopped
        return {"taskArns": [item["taskArn"] for item in tasks]}

    def ecs_DescribeTasks(self, tasks: list[str], **_: Any) -> Answer:
        return {"tasks": [item for item in self.running + self.stopped if item["taskArn"] in tasks]}

    def ecs_DescribeTaskDefinition(self, taskDefinition: str) -> Answer:
        found = self.definitions.get(taskDefinition)
        if found is None:
            raise Absent("ecs:DescribeTaskDefinition", "ClientException", taskDefinition)
        return {"taskDefinition": found}

    def ecs_ListTaskDefinitions(self, **_: Any) -> Answer:
        return {"taskDefinitionArns": []}

    def elbv2_DescribeTargetGroups(self, **_: Any) -> Answer:
        return {
            "TargetGroups": [
                {
                    "TargetGroupArn": "tg",
                    "TargetGroupName": "tg",
                    "Port": 8080,
                    "HealthCheckPort": "traffic-port",
                }
            ]
        }

    def elbv2_DescribeTargetHealth(self, **_: Any) -> Answer:
        return {"TargetHealthDescriptions": self.target_health}

    def ec2_DescribeSubnets(self, SubnetIds: list[str]) -> Answer:
        return {"Subnets": [self.subnets[name] for name in SubnetIds]}

    def ec2_DescribeSecurityGroups(self, **_: Any) -> Answer:
        return {"SecurityGroups": list(self.groups.values())}

    def ec2_DescribeRouteTables(self, **_: Any) -> Answer:
        return {
            "RouteTables": [
                {
                    "RouteTableId": name,
                    "Associations": [{"SubnetId": subnet} for subnet in subnets],
                    "Routes": routes,
                }
                for name, (subnets, routes) in self.routes.items()
            ]
        }

    def ec2_DescribeNatGateways(self, **_: Any) -> Answer:
        return {"NatGateways": [{"NatGatewayId": "nat", "State": self.nat_state}]}

    def efs_DescribeFileSystems(self, **_: Any) -> Answer:
        return {"FileSystems": [{"FileSystemId": "fs-1"}]}

    def efs_DescribeMountTargets(self, **_: Any) -> Answer:
        return {"MountTargets": self.mount_targets}

    def efs_DescribeMountTargetSecurityGroups(self, **_: Any) -> Answer:
        return {"SecurityGroups": [FILES]}

    def dynamodb_DescribeTable(self, TableName: str) -> Answer:
        if TableName not in self.tables:
            raise Absent("dynamodb:DescribeTable", "ResourceNotFoundException", TableName)
        return {"Table": self.table | {"TableStatus": self.tables[TableName]}}

    def dynamodb_Scan(self, **_: Any) -> Answer:
        return {"Items": [{name: attribute(value) for name, value in key.items()} for key in self.keys]}

    def dynamodb_Query(
        self, ExpressionAttributeValues: Answer, KeyConditionExpression: str, **_: Any
    ) -> Answer:
        wanted = ExpressionAttributeValues[":id"]["S"]
        exact = " = :id" in KeyConditionExpression
        return {"Items": [job for job in self.jobs if not exact or job["dispatchId"]["S"] == wanted]}

    def iam_ListRolePolicies(self, **_: Any) -> Answer:
        return {"PolicyNames": list(self.policies)}

    def iam_GetRolePolicy(self, PolicyName: str, **_: Any) -> Answer:
        return {"PolicyDocument": self.policies[PolicyName]}

    def iam_ListAttachedRolePolicies(self, **_: Any) -> Answer:
        return {"AttachedPolicies": []}

    def elbv2_DescribeLoadBalancers(self, **_: Any) -> Answer:
        return {"LoadBalancers": [{"LoadBalancerArn": "lb", "DNSName": "lb.example"}]}

    def elbv2_DescribeLoadBalancerAttributes(self, **_: Any) -> Answer:
        return {"Attributes": [{"Key": "idle_timeout.timeout_seconds", "Value": self.idle_timeout}]}

    def ec2_DescribeVpcEndpoints(self, **_: Any) -> Answer:
        return {"VpcEndpoints": self.endpoints}

    def cloudwatch_DescribeAlarmHistory(self, **_: Any) -> Answer:
        return {"AlarmHistoryItems": []}

    def application_autoscaling_DescribeScalableTargets(self, ServiceNamespace: str, **_: Any) -> Answer:
        return {"ScalableTargets": self.scaling.get(ServiceNamespace, [])}

    def application_autoscaling_DescribeScalingActivities(self, **_: Any) -> Answer:
        return {"ScalingActivities": []}

    def s3_GetBucketPolicy(self, Bucket: str) -> Answer:
        if Bucket != NAMES.artifacts_bucket:
            raise Absent("s3:GetBucketPolicy", "NoSuchBucket", Bucket)
        if not self.bucket_policy:
            raise Absent("s3:GetBucketPolicy", "NoSuchBucketPolicy", Bucket)
        return {"Policy": self.bucket_policy}

    def http_Get(self, url: str, authenticated: bool = False) -> Answer:
        return self.http.get(url, {"status": 200, "body": '{"status": "healthy", "version": "2.0.0"}'})

    def client_Environment(self, names: list[str]) -> Answer:
        return {"variables": {name: self.variables[name] for name in names if name in self.variables}}

    def client_Configuration(self, path: str) -> Answer:
        if self.configuration is None:
            raise Absent("client:Configuration", "NotFound", path)
        return self.configuration

    def client_Version(self, **_: Any) -> Answer:
        if self.installed is None:
            raise Absent("client:Version", "NotFound", "a checkout")
        return self.installed

    def client_Processes(self, **_: Any) -> Answer:
        return self.processes

    def secretsmanager_ListSecrets(self, **_: Any) -> Answer:
        return {"SecretList": list(self.secrets.values())}

    def service_quotas_GetServiceQuota(self, **_: Any) -> Answer:
        return {"Quota": {"Value": self.quota}}

    def logs_GetLogEvents(self, logGroupName: str, limit: int, **_: Any) -> Answer:
        return {"events": self._logged(logGroupName)[-limit:]}

    def logs_FilterLogEvents(
        self, logGroupName: str, startTime: int, PaginationConfig: dict[str, int], **_: Any
    ) -> Answer:
        found = [line for line in self._logged(logGroupName) if line["timestamp"] >= startTime]
        return {"events": found[: PaginationConfig["MaxItems"]]}

    def _logged(self, logGroupName: str) -> list[Answer]:
        lines = self.log.get(logGroupName, [])
        written = int((NOW - LOGGED).timestamp() * 1000)
        found = []
        for line in lines:
            late = json.loads(line).get("late", 0) if line.startswith("{") else 0
            at = written + int(late * 1000)
            found.append({"message": line, "timestamp": at, "logStreamName": "a/b/t1"})
        return sorted(found, key=lambda line: int(line["timestamp"]))

    def cloudwatch_GetMetricData(self, **_: Any) -> Answer:
        return {
            "MetricDataResults": [
                {
                    "Id": name,
                    "Values": values,
                    "Timestamps": [NOW + timedelta(minutes=n) for n in range(len(values))],
                }
                for name, values in self.series.items()
            ]
        }

    def add_job(self, status: str = "FAILED", **attributes: Any) -> str:
        """A job two minutes old (the n-th a millisecond younger than the one before). Returns its id."""
        created = NOW - timedelta(minutes=2) + timedelta(milliseconds=len(self.jobs))
        identity = ulid_at(created)
        values = {"tenantId": "demo", "dispatchId": identity, "agent": "claude", "status": status,
                  "createdAt": created.isoformat()} | attributes  # fmt: skip
        self.jobs.append({name: attribute(value) for name, value in values.items()})
        return identity


def attribute(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"M": {name: attribute(item) for name, item in value.items()}}
    if isinstance(value, list):
        return {"SS": value} if value else {"L": []}
    if isinstance(value, int | float):
        return {"N": str(value)}
    return {"S": value}


def api_key(identifier: str, **changes: Any) -> Answer:
    return {
        "apiKeyId": identifier,
        "tenantId": "demo",
        "keyPrefix": f"otp_{identifier:0<11}",
        "scopes": ["dispatch", "status"],
        "status": "active",
    } | changes


def endpoint(service: str) -> Answer:
    return {
        "VpcEndpointId": f"vpce-{service}",
        "ServiceName": f"com.amazonaws.us-east-1.{service}",
        "VpcEndpointType": "Gateway",
        "State": "available",
        "RouteTableIds": ["rtb-private"],
    }


def scalable(dimension: str, minimum: int) -> Answer:
    return {
        "ResourceId": "service/outpost-dev/outpost-control-plane",
        "ScalableDimension": dimension,
        "MinCapacity": minimum,
        "MaxCapacity": 4,
    }


def definition(
    name: str,
    revision: int,
    container: str,
    cpu: int,
    memory: int,
    environment: dict[str, str],
    secrets: dict[str, str],
) -> Answer:
    return {
        "taskDefinitionArn": arn("ecs", f"task-definition/{name}:{revision}"),
        "family": name,
        "revision": revision,
        "status": "ACTIVE",
        "cpu": str(cpu),
        "memory": str(memory),
        "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}",
        "containerDefinitions": [
            {
                "name": container,
                "image": "image",
                "environment": [{"name": key, "value": value} for key, value in environment.items()],
                "secrets": [{"name": key, "valueFrom": value} for key, value in secrets.items()],
                "portMappings": [{"containerPort": 8080}],
            }
        ],
    }


def task(name: str, status: str, task_definition: str, *, lived: float = 600, **main: Any) -> Answer:
    started = NOW - timedelta(seconds=lived + 60)
    made: Answer = {
        "taskArn": arn("ecs", f"task/{NAMES.cluster}/{name}"),
        "taskDefinitionArn": task_definition,
        "lastStatus": status,
        "startedAt": started,
        "cpu": "512",
        "containers": [
            {"name": "control-plane", **{key: main[key] for key in ("exitCode", "reason") if key in main}}
        ],
    }
    if status == "STOPPED":
        made["stoppedAt"] = started + timedelta(seconds=lived)
        made["stoppedReason"] = main.get("stoppedReason", "Essential container in task exited")
        made["stopCode"] = main.get("stopCode", "EssentialContainerExited")
    return made


def target_health(state: str, description: str = "") -> Answer:
    return {
        "Target": {"Id": "10.0.128.9", "Port": 8080},
        "TargetHealth": {"State": state, "Description": description},
    }


def group(
    identifier: str, name: str, *, ingress: list[Answer] | None = None, egress: list[Answer] | None = None
) -> Answer:
    return {
        "GroupId": identifier,
        "GroupName": name,
        "IpPermissions": ingress or [],
        "IpPermissionsEgress": egress or [],
    }


def peer(port: int, identifier: str) -> Answer:
    return {
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
        "UserIdGroupPairs": [{"GroupId": identifier}],
    }


def world_rule(port: int) -> Answer:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def mount_target(zone: str, subnet: str) -> Answer:
    return {
        "MountTargetId": f"fsmt-{zone}",
        "SubnetId": subnet,
        "AvailabilityZoneName": f"us-east-1{zone}",
        "LifeCycleState": "available",
        "IpAddress": "10.0.128.7",
    }


def allow(action: str | list[str], resource: str) -> Answer:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}],
    }
