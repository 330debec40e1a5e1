"""Faults that make the API slow."""

from typing import Any

from tests.runbooks.faults.stack import Fault, Stack


def dynamodb_throttled(stack: Stack) -> None:
    """Provisioned, scaling, and still used up: what CloudWatch then shows of the jobs table."""
    dynamodb, scaling = stack.client("dynamodb"), stack.client("application-autoscaling")
    table = stack.names.jobs_table
    stack.undo.callback(dynamodb.update_table, TableName=table, BillingMode="PAY_PER_REQUEST")
    dynamodb.update_table(
        TableName=table,
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 50, "WriteCapacityUnits": 50},
    )
    for kind in ("Read", "Write"):
        which = {
            "ServiceNamespace": "dynamodb",
            "ResourceId": f"table/{table}",
            "ScalableDimension": f"dynamodb:table:{kind}CapacityUnits",
        }
        stack.undo.callback(scaling.deregister_scalable_target, **which)
        scaling.register_scalable_target(**which, MinCapacity=50, MaxCapacity=50)
    stack.table_as_of_old()
    consumed = 49 * 60.0  # units of a minute: 98 % of what is provisioned
    stack.measure("AWS/DynamoDB", "ConsumedWriteCapacityUnits", consumed, TableName=table)
    stack.measure("AWS/DynamoDB", "ThrottledRequests", 120.0, TableName=table)


def cold_connections(stack: Stack) -> None:
    """The load balancer is told to keep idle connections longer than the control plane does."""
    elbv2 = stack.client("elbv2")
    balancer = elbv2.describe_load_balancers(Names=[stack.names.load_balancer])["LoadBalancers"][0]
    which, key = {"LoadBalancerArn": balancer["LoadBalancerArn"]}, "idle_timeout.timeout_seconds"
    attributes = elbv2.describe_load_balancer_attributes(**which)["Attributes"]
    before = [attribute for attribute in attributes if attribute["Key"] == key]
    stack.deployed_back()
    stack.undo.callback(elbv2.modify_load_balancer_attributes, **which, Attributes=before)
    elbv2.modify_load_balancer_attributes(**which, Attributes=[{"Key": key, "Value": "300"}])


def missing_vpc_endpoints(stack: Stack) -> None:
    ec2 = stack.client("ec2")
    service = "com.amazonaws.us-east-1.s3"
    named = [{"Name": "service-name", "Values": [service]}]
    endpoint = next(
        e for e in ec2.describe_vpc_endpoints(Filters=named)["VpcEndpoints"] if e["State"] == "available"
    )
    stack.undo.callback(_provide_if_missing, stack, endpoint)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])


def _provide_if_missing(stack: Stack, endpoint: dict[str, Any]) -> None:
    ec2 = stack.client("ec2")
    named = [{"Name": "service-name", "Values": [endpoint["ServiceName"]]}]
    found = ec2.describe_vpc_endpoints(Filters=named)["VpcEndpoints"]
    if not any(each["State"] == "available" for each in found):
        same = ("VpcId", "ServiceName", "VpcEndpointType", "RouteTableIds", "PolicyDocument")
        ec2.create_vpc_endpoint(**{name: endpoint[name] for name in same if endpoint.get(name)})


FAULTS = (
    Fault("slow-responses/dynamodb-throttled", dynamodb_throttled, since="1h"),
    Fault("slow-responses/cold-connections", cold_connections, mended=True),
    Fault("slow-responses/missing-vpc-endpoints", missing_vpc_endpoints, mended=True),
)
