"""The background loops: threads that pull, launch, follow, reconcile, refresh, and stop in order."""

import threading
import time
from collections.abc import Callable
from uuid import uuid4

from service import log
from service.aws.clients import LONG_POLL
from service.domain.ports import UnavailableError
from service.services import Services

LAUNCHERS = 10  # a RunTask takes 0.2-0.5 s: ten in parallel reach the account's 20/s
FLEET_SECONDS = 60
USAGE_SECONDS = 30
AUDIT_SECONDS = 2
KEEP_SECONDS = 20  # a third of the visibility time-out
RECONCILE_SECONDS = 10
ORPHANS_EVERY = 6  # of those
LEASE_SECONDS = 30
POOL_SECONDS = 5
QUEUE_SECONDS = 5  # as old is a place in the queue that another replica shows, at most
FAILURE_SECONDS = (1.0, 30.0)  # pause after a failed step: at first, at most
STOP_SECONDS = LONG_POLL + 15


class Loops:
    """Starts the loops and stops them. A step that fails is logged and repeated, never the loop's end."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._owner = uuid4().hex
        self._sweeps = 0

    def start(self) -> None:
        """Start every loop."""
        services = self._services
        self._loop("fleet", services.fleet.refresh, every=FLEET_SECONDS)
        self._loop("receiver", self._pull, until=services.stopping)
        for n in range(LAUNCHERS):
            self._loop(f"launcher-{n}", lambda: services.launcher.launch_next(1.0, self._stopping.wait))
        self._loop("keeper", services.launcher.keep, every=KEEP_SECONDS)
        self._loop("queue", services.board.exchange, every=QUEUE_SECONDS)
        self._loop("follower", lambda: services.follower.step(LONG_POLL), until=services.stopping)
        self._loop("reconciler", self._reconcile, every=RECONCILE_SECONDS)
        if services.pool.enabled:
            self._loop("pool", self._keep_pool, every=POOL_SECONDS)
        self._loop("audit", services.audit.flush, every=AUDIT_SECONDS)
        self._loop("usage", services.authentication.flush_usage, every=USAGE_SECONDS)

    def stop(self) -> None:
        """End the loops after their current step, give back what is waiting and write what was counted.

        Takes one long poll at most: a poll that is given up would swallow the messages it is answered with.
        SIGTERM lets no new poll begin, so that the last one passes while requests are still taken.
        """
        self._stopping.set()
        end = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        services = self._services
        services.notifying.close()
        for last in (services.launcher.give_back, services.authentication.flush_usage, services.audit.flush):
            try:
                last()
            except UnavailableError as error:
                log.warning("not everything was handed back", event="stop-incomplete", error=str(error))
        log.info("control plane stopped", event="stop")

    def _pull(self) -> None:
        if self._services.launcher.pull(LONG_POLL) == 0:
            self._stopping.wait(0.2)  # a full buffer answers at once

    def _keep_pool(self) -> None:
        services = self._services
        if services.coordination.lease("pool", self._owner, services.clock(), LEASE_SECONDS):
            services.pool.keep()

    def _reconcile(self) -> None:
        services = self._services
        if not services.coordination.lease("reconciler", self._owner, services.clock(), LEASE_SECONDS):
            return
        services.reconciler.sweep_deadlines()
        self._sweeps += 1
        if self._sweeps % ORPHANS_EVERY == 0:
            services.reconciler.sweep_tasks()

    def _loop(
        self,
        name: str,
        step: Callable[[], object],
        *,
        every: float = 0,
        until: threading.Event | None = None,
    ) -> None:
        """Repeat a step in a thread of its own until `stop`, or until the event comes."""

        def run() -> None:
            pause = FAILURE_SECONDS[0]
            while not (self._stopping.is_set() or (until and until.is_set())):
                log.clear(loop=name)
                try:
                    step()
                except UnavailableError as error:
                    log.warning(
                        "AWS call failed in the background",
                        event="aws-error",
                        operation=error.service,
                        code=error.code,
                        error=str(error),
                    )
                except Exception:  # noqa: BLE001 - a defect in one step must not end the loop
                    log.exception("uncaught error in the background", event="uncaught-error")
                else:
                    pause = FAILURE_SECONDS[0]
                    self._stopping.wait(every)
                    continue
                self._stopping.wait(pause)
                pause = min(FAILURE_SECONDS[1], pause * 2)

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
