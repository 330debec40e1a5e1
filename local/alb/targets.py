"""Targets of target groups and their health, checked as the group is configured."""

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from typing import Any

import httpx

from local.aws.moto_app import backend
from local.ecs.scheduler import Health
from local.fargate.addresses import Addresses

# A check interval of 15 s becomes 0.5 s; timeouts and thresholds stay as configured.
INTERVAL_SCALE = 30.0
SHORTEST_INTERVAL = 0.3  # seconds
FIRST_INTERVAL = 0.05  # seconds between checks of a target that has not answered yet
INITIAL = Health("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
UNUSED = Health("unused", "Target.NotRegistered", "Target is not registered to the target group")
DRAINING = Health("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")


@dataclass
class Target:
    """A registered address. `healths` in a row and `failures` in a row decide its state."""

    group: str
    address: str
    port: int
    health: Health = INITIAL
    successes: int = 0
    failures: int = 0
    in_flight: int = 0
    check: "asyncio.Task[None] | None" = None  # kept, since the loop itself keeps no task alive


@dataclass
class Targets:
    """Follows the registrations in moto and checks every target; lives on the load balancer's loop."""

    lock: threading.RLock  # the region's: registrations
    addresses: Addresses
    choosing: threading.Lock = field(default_factory=threading.Lock)  # which targets there are, and their use
    known: dict[tuple[str, str], Target] = field(default_factory=dict)
    draining: dict[tuple[str, str], Target] = field(default_factory=dict)

    def health_of(self, group: str, address: str) -> Health:
        target = self.known.get((group, address))
        if target:
            return target.health
        if (group, address) in self.draining:
            return DRAINING
        registered = backend("elbv2").target_groups.get(group)
        return INITIAL if registered and address in registered.targets else UNUSED

    def of(self, group: str) -> list[Target]:
        return [target for (arn, _), target in list(self.known.items()) if arn == group]

    def drain(self, group: str, address: str) -> None:
        """Send a target nothing new; what it is doing it may finish."""
        with self.choosing:
            target = self.known.pop((group, address), None)
            if target:
                self.draining[group, address] = target

    def drained(self, group: str, address: str) -> bool:
        with self.choosing:
            target = self.draining.get((group, address))
            if target and target.in_flight:
                return False
            self.draining.pop((group, address), None)
            return True

    def take(self, group: str, turn: int) -> Target | None:
        """A healthy target in turn, in use from now on; `release` it.

        If all are unhealthy it is any of them, since the balancer fails open.
        """
        with self.choosing:
            targets = [target for (arn, _), target in self.known.items() if arn == group]
            usable = [target for target in targets if target.health.state == "healthy"]
            usable = usable or [target for target in targets if target.health.state == "unhealthy"]
            if not usable:
                return None
            chosen = usable[turn % len(usable)]
            chosen.in_flight += 1
            return chosen

    def release(self, target: Target) -> None:
        with self.choosing:
            target.in_flight -= 1

    def follow(self, client: httpx.AsyncClient) -> None:
        """Take up new registrations and drop those that are gone; called on the loop."""
        with self.lock, self.choosing:
            registered = {
                (group.arn, address): int(target["Port"])
                for group in backend("elbv2").target_groups.values()
                for address, target in group.targets.items()
            }
            for key, port in registered.items():
                if key not in self.known:
                    target = Target(*key, port)
                    self.known[key] = target
                    target.check = asyncio.create_task(self._check_for_ever(target, client))
            for key in [key for key in self.known if key not in registered]:
                del self.known[key]

    async def _check_for_ever(self, target: Target, client: httpx.AsyncClient) -> None:
        loop = asyncio.get_running_loop()
        counted = loop.time()
        while True:
            group = backend("elbv2").target_groups.get(target.group)
            if group is None or self.known.get((target.group, target.address)) is not target:
                return
            interval = max(float(group.health_check_interval_seconds) / INTERVAL_SCALE, SHORTEST_INTERVAL)
            problem = await self._look(target, group, client)
            if problem is None:
                target.failures = 0
                target.successes += 1
                first = target.health.state == "initial"  # a new target needs one success only
                if first or target.successes >= int(group.healthy_threshold_count or 5):
                    target.health = Health("healthy")
            elif target.health.state != "initial" or loop.time() - counted >= interval:
                counted = loop.time()
                target.successes = 0
                target.failures += 1
                if target.failures >= int(group.unhealthy_threshold_count or 2):
                    target.health = problem
            await asyncio.sleep(FIRST_INTERVAL if target.health.state == "initial" else interval)

    async def _look(self, target: Target, group: Any, client: httpx.AsyncClient) -> Health | None:
        """One check; None if it passed."""
        port = group.health_check_port
        port = target.port if port in {None, "traffic-port"} else int(port)
        url = f"http://{self.addresses.of(target.address)}:{port}{group.health_check_path or '/'}"
        timeout = float(group.health_check_timeout_seconds or 5)
        try:
            answer = await client.get(url, timeout=timeout, headers={"User-Agent": "ELB-HealthChecker/2.0"})
        except httpx.TimeoutException:
            return Health("unhealthy", "Target.Timeout", "Request timed out")
        except httpx.HTTPError:
            return Health("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
        if _matches(answer.status_code, str((group.matcher or {}).get("HttpCode") or "200")):
            return None
        return Health(
            "unhealthy",
            "Target.ResponseCodeMismatch",
            f"Health checks failed with these codes: [{answer.status_code}]",
        )


def _matches(code: int, matcher: str) -> bool:
    """Whether a status code is one of `200`, `200,202` or `200-299`."""
    for part in matcher.split(","):
        first, _, last = part.partition("-")
        with contextlib.suppress(ValueError):
            if int(first) <= code <= int(last or first):
                return True
    return False
