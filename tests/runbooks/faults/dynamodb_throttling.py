"""Faults of the jobs table's capacity and of the load on it."""

from tests.runbooks.faults.stack import Fault, Stack, changed, unless_done, with_variables


def _on_demand_again(stack: Stack) -> None:
    """At the end, the jobs table is on demand and nothing of it scales."""
    dynamodb, scaling = stack.client("dynamodb"), stack.client("application-autoscaling")
    table = stack.names.jobs_table
    stack.undo.callback(dynamodb.update_table, TableName=table, BillingMode="PAY_PER_REQUEST")
    for kind in ("Read", "Write"):
        stack.undo.callback(
            unless_done,
            "ObjectNotFoundException",
            scaling.deregister_scalable_target,
            ServiceNamespace="dynamodb",
            ResourceId=f"table/{table}",
            ScalableDimension=f"dynamodb:table:{kind}CapacityUnits",
        )


def autoscaling_off(stack: Stack) -> None:
    """Provisioned by hand, as a table of long ago."""
    _on_demand_again(stack)
    stack.client("dynamodb").update_table(
        TableName=stack.names.jobs_table,
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 50, "WriteCapacityUnits": 50},
    )


def capacity_mode(stack: Stack) -> None:
    """On demand, with a load that doubled within minutes: what CloudWatch then shows."""
    table = stack.names.jobs_table
    _on_demand_again(stack)
    stack.table_as_of_old()
    stack.measure("AWS/DynamoDB", "ConsumedWriteCapacityUnits", 90_000.0, TableName=table)
    # Far above what this region reads meanwhile: the plan is for the peak, and refused when that moves.
    stack.measure("AWS/DynamoDB", "ConsumedReadCapacityUnits", 60_000.0, TableName=table)
    stack.measure("AWS/DynamoDB", "WriteThrottleEvents", 50.0, TableName=table)


def retries_without_backoff(stack: Stack) -> None:
    definition = stack.definition()
    stack.deploy(changed(definition, environment=with_variables(definition, AWS_MAX_ATTEMPTS="1")))
    stack.steady()


def hot_partition(stack: Stack) -> None:
    table = stack.names.jobs_table
    stack.table_as_of_old()
    stack.measure("AWS/DynamoDB", "WriteKeyRangeThroughputThrottleEvents", 30.0, TableName=table)
    stack.measure("AWS/DynamoDB", "WriteThrottleEvents", 30.0, TableName=table)


FAULTS = (
    Fault("dynamodb-throttling/autoscaling-off", autoscaling_off, mended=True),
    Fault("dynamodb-throttling/capacity-mode", capacity_mode, mended=True, since="1h"),
    Fault("dynamodb-throttling/retries-without-backoff", retries_without_backoff, mended=True),
    Fault("dynamodb-throttling/hot-partition", hot_partition, since="1h"),
)
