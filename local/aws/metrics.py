"""AWS's own CloudWatch metrics: what the services measure of themselves, in the current minute."""

import json
import threading
import time

from local.aws.call import Call
from local.aws.errors import Response
from local.aws.moto_app import backend
from local.cloudwatch.series import AllSeries, Dimensions, key_of
from local.ecs.model import Task

READS = frozenset({"GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems"})
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
READ_UNIT, WRITE_UNIT = 4096, 1024  # bytes of an item that one unit covers


class Metrics:
    """Records what AWS measures of its services. Safe from any thread."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock

    @property
    def series(self) -> AllSeries:
        """Every metric of the region; hold its lock."""
        series: AllSeries = backend("cloudwatch").series
        return series

    def record(self, namespace: str, name: str, dimensions: Dimensions, value: float, unit: str) -> None:
        """Add one value to a metric's current minute."""
        with self._lock:
            self.series.bucket(key_of(namespace, name, dimensions), time.time(), unit).add(value)

    def task(self, task: Task, cpu: float, memory: float) -> None:
        """CPU and memory of a task, in percent of what it has; ECS reports them per service and cluster."""
        for name, value in (("CPUUtilization", cpu), ("MemoryUtilization", memory)):
            self.record("AWS/ECS", name, (("ClusterName", task.cluster),), value, "Percent")
            if task.service:
                dimensions = (("ClusterName", task.cluster), ("ServiceName", task.service))
                self.record("AWS/ECS", name, dimensions, value, "Percent")

    def observe(self, call: Call, response: Response) -> None:
        """Count a call to DynamoDB."""
        if call.service != "dynamodb" or call.operation not in READS | WRITES:
            return
        tables = _tables(call)
        elapsed = (time.perf_counter() - call.started) * 1000
        for table in tables:
            by_operation = (("TableName", table), ("Operation", call.operation))
            if b"ThrottlingException" in response.body or b"ProvisionedThroughputExceeded" in response.body:
                self.record("AWS/DynamoDB", "ThrottledRequests", by_operation, 1, "Count")
                self.record("AWS/DynamoDB", "ThrottledRequests", (("TableName", table),), 1, "Count")
                name = "ReadThrottleEvents" if call.operation in READS else "WriteThrottleEvents"
                self.record("AWS/DynamoDB", name, (("TableName", table),), 1, "Count")
            elif response.status < 300:
                self.record("AWS/DynamoDB", "SuccessfulRequestLatency", by_operation, elapsed, "Milliseconds")
                read = call.operation in READS
                name = "ConsumedReadCapacityUnits" if read else "ConsumedWriteCapacityUnits"
                size = len(response.body if read else call.body)
                units = -(-size // (READ_UNIT if read else WRITE_UNIT)) / len(tables)
                self.record("AWS/DynamoDB", name, (("TableName", table),), max(units, 1.0), "Count")


def _tables(call: Call) -> list[str]:
    try:
        parameters = json.loads(call.body or b"{}")
    except ValueError:
        return []
    if "TableName" in parameters:
        return [str(parameters["TableName"]).rsplit("/", 1)[-1]]
    if isinstance(parameters.get("RequestItems"), dict):
        return list(parameters["RequestItems"])
    items = parameters.get("TransactItems") or []
    return sorted({str(each["TableName"]) for item in items for each in item.values() if "TableName" in each})
