"""How many calls were made of each operation by tasks: what a dispatch costs is counted from it."""

import threading
from collections import Counter

from local.aws.call import Call
from local.aws.errors import Response


class CallCount:
    """An observer of the gateway. Transactions and batches of writes are counted by their items, too."""

    def __init__(self, internal_key: str) -> None:
        self._internal_key = internal_key
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def observe(self, call: Call, response: Response) -> None:
        if not call.access_key.startswith("ASIA") or call.access_key == self._internal_key:
            return  # the operator's, or the region's own
        items = 0
        if call.operation == "TransactWriteItems":
            items = len(call.parameters.get("TransactItems", []))
        elif call.operation == "BatchWriteItem":
            items = sum(len(each) for each in call.parameters.get("RequestItems", {}).values())
        with self._lock:
            self._counts[f"{call.service}:{call.operation}"] += 1
            if items:
                self._counts[f"{call.service}:{call.operation} items"] += items

    def counts(self) -> dict[str, int]:
        """Since the region was started."""
        with self._lock:
            return dict(self._counts)
