"""What is checked before the control plane serves: that its tables and queues are there and let it in."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from outpost.errors import OutpostError
from service.aws.clients import Clients
from service.aws.errors import translated
from service.domain.ports import UnavailableError
from service.settings import Settings

TABLE_RUNBOOK = "health-check-failing/dynamodb-unreachable"
QUEUE_RUNBOOK = "control-plane-not-starting/application-error"
BUDGET = 3.0  # seconds that a start waits for answers; what has not answered by then is no refusal
REPEATS = (1.0, 2.0)  # seconds before a refusal is asked again: a policy takes a moment to work everywhere
# Answers that waiting does not change. Everything else (throttling, time-outs, no connection) may pass.
REFUSALS = {
    "AccessDenied": "it may not be used",
    "AccessDeniedException": "it may not be used",
    "ResourceNotFoundException": "it does not exist",
    "AWS.SimpleQueueService.NonExistentQueue": "it does not exist",
    "QueueDoesNotExist": "it does not exist",
}
Check = Callable[[], object]


class AccessChecks:
    """Asks for every table and queue at once, beside whatever else the start has to do."""

    def __init__(self, settings: Settings, clients: Clients) -> None:
        self._refusals: dict[str, OutpostError] = {}
        self._checks = dict(_checks(settings, clients))
        self._threads = [
            threading.Thread(target=self._ask, args=each, daemon=True) for each in self._checks.items()
        ]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Wait for the answers, `BUDGET` at most unless something was refused.

        Raises `OutpostError` (`access-refused`) that names the first refused resource and the runbook.
        """
        end = time.monotonic() + BUDGET
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        for pause in REPEATS:
            if not self._refusals:
                return
            time.sleep(pause)
            for name in tuple(self._refusals):
                self._ask(name, self._checks[name])
        for name in self._checks:
            if name in self._refusals:
                raise self._refusals[name]

    def _ask(self, name: str, check: Check) -> None:
        self._refusals.pop(name, None)
        try:
            check()
        except UnavailableError as error:
            why = REFUSALS.get(error.code)
            if why is not None:
                table = error.service == "dynamodb"
                runbook = TABLE_RUNBOOK if table else QUEUE_RUNBOOK
                self._refusals[name] = OutpostError(
                    "access-refused",
                    f"The {name} cannot be used: {why} ({error.code}).",
                    remedy=f"Deploy the stack, or restore the task role's policies (runbook {runbook}).",
                )


def _checks(settings: Settings, clients: Clients) -> Iterator[tuple[str, Check]]:
    """One read of each resource, by an action that the running control plane needs of it."""
    dynamodb, sqs = clients.impatient("dynamodb"), clients.impatient("sqs")
    jobs = {"tenantId": "#access", "dispatchId": "-"}
    tables: Mapping[str, dict[str, str]] = {
        settings.jobs_table: jobs,
        settings.api_keys_table: {"apiKeyId": "#access"},
        settings.audit_table: {"tenantId": "#access", "auditId": "-"},
        settings.workspaces_table: {"tenantId": "#access", "workspaceId": "-"},
    }
    for table, key in tables.items():
        yield f"table {table}", _reading(dynamodb, table, key)
    for url in (settings.launch_queue_url, settings.events_queue_url):
        yield f"queue {url.rpartition('/')[2]}", _asking(sqs, url)


def _reading(dynamodb: Any, table: str, key: dict[str, str]) -> Check:
    def check() -> None:
        with translated("dynamodb"):
            dynamodb.get_item(TableName=table, Key={name: {"S": value} for name, value in key.items()})

    return check


def _asking(sqs: Any, url: str) -> Check:
    def check() -> None:
        with translated("sqs"):
            sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])

    return check
