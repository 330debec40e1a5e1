"""Following tasks: ECS's state changes, from EventBridge through SQS."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from outpost import worker_protocol
from outpost.agents import Agent
from outpost.exit_codes import WorkerExit
from service import log
from service.application.dispatches import Dispatches, NotFoundError
from service.domain.events import TaskStopped
from service.domain.job import StoppedEvidence
from service.domain.ports import Logs, Queue, Received, UnavailableError

TAIL = 50  # lines of the log that the classifier sees
Evidence = Callable[[Mapping[str, Any]], StoppedEvidence]
# Tenant, dispatch and attempt that an idle worker was given, by its task's mark and its exit code.
PoolOwner = Callable[[str, int | None], tuple[str, str, int] | None]


class SeenVersions:
    """The latest version seen per task, to drop repeated and older events. Holds the `size` latest tasks."""

    def __init__(self, size: int = 10_000) -> None:
        self._versions: OrderedDict[str, int] = OrderedDict()
        self._size = size

    def handled(self, arn: str, version: int) -> bool:
        return self._versions.get(arn, -1) >= version

    def remember(self, arn: str, version: int) -> None:
        self._versions[arn] = max(version, self._versions.pop(arn, -1))
        while len(self._versions) > self._size:
            self._versions.popitem(last=False)


class Follower:
    """Turns `ECS Task State Change` events into what happens to dispatches."""

    def __init__(
        self,
        *,
        dispatches: Dispatches,
        queue: Queue,
        logs: Logs,
        evidence: Evidence,
        pool_owner: PoolOwner = lambda mark, exit_code: None,
    ) -> None:
        self._pool_owner = pool_owner
        self._dispatches = dispatches
        self._queue = queue
        self._logs = logs
        self._evidence = evidence
        self._seen = SeenVersions()

    def step(self, wait: int) -> int:
        """Receive and handle up to 10 events. What is handled is acknowledged; what fails comes again, and
        after some times goes to the dead-letter queue."""
        received = self._queue.receive(10, wait)
        done = [message.receipt for message in received if self._handled(message)]
        if done:
            self._queue.delete(done)
        return len(received)

    def _handled(self, message: Received) -> bool:
        try:
            detail = json.loads(message.body)["detail"]
            self.follow(detail)
        except UnavailableError as error:
            log.warning("event not handled; it comes again", event="event-repeated", error=str(error))
            return False
        except Exception:  # noqa: BLE001 - whatever is wrong with one event, the others of its batch go on
            log.exception("unreadable event", event="poison-message", receiveCount=message.receive_count)
            return False
        return True

    def follow(self, detail: Mapping[str, Any]) -> None:
        """Handle one event's detail. Only STOPPED changes a dispatch; the worker itself tells the rest."""
        arn, version = str(detail["taskArn"]), int(detail.get("version", 0))
        if detail["lastStatus"] != "STOPPED" or self._seen.handled(arn, version):
            return
        mark, evidence = str(detail.get("startedBy", "")), self._evidence(detail)
        owner = worker_protocol.parse_started_by(mark) or self._pool_owner(mark, evidence.exit_code)
        if owner is None:
            return
        tenant_id, dispatch_id, attempt = owner
        log.clear(tenantId=tenant_id, dispatchId=dispatch_id)
        try:
            self.stopped(tenant_id, dispatch_id, attempt, evidence)
        except NotFoundError:
            log.warning("a task of no known dispatch stopped", event="orphan-event", taskArn=arn)
        self._seen.remember(arn, version)

    def stopped(self, tenant_id: str, dispatch_id: str, attempt: int, evidence: StoppedEvidence) -> None:
        """End, or launch again, the dispatch whose task is gone. Reads the log's tail if that explains it."""
        job = self._dispatches.cached(tenant_id, dispatch_id) or self._dispatches.store.get(
            tenant_id, dispatch_id
        )
        if job is None:
            raise NotFoundError(dispatch_id)
        tail: list[str] = []
        if job.active and job.attempt == attempt and evidence.exit_code not in (None, WorkerExit.COMPLETED):
            tail = self.tail(job.agent, evidence.task_arn)
        event = TaskStopped(attempt=attempt, evidence=evidence, log_tail=tail)
        self._dispatches.apply(tenant_id, dispatch_id, event, job=job)

    def tail(self, agent: Agent, arn: str) -> list[str]:
        """The log's last lines, without which a failure is classified from the exit code alone."""
        try:
            return self._logs.tail(agent, arn, TAIL)
        except UnavailableError as error:
            log.warning("log tail not read", event="tail-lost", error=str(error))
            return []
