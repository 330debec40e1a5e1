"""The application load balancer: an HTTP server in a thread that forwards to healthy targets."""

import asyncio
import socket
import threading
import time
from typing import Any

import httpx
import uvicorn

from local.alb.forward import Forwarder, Route
from local.alb.targets import Targets
from local.aws.metrics import Metrics
from local.aws.moto_app import backend
from local.ecs.scheduler import Health
from local.fargate.addresses import Addresses
from outpost.errors import OutpostError

FOLLOW = 0.25  # seconds between looks at the registrations
HOST_COUNT_EVERY = 5.0  # seconds between values of HealthyHostCount


class LoadBalancer:
    """Serves the stack's load balancer on a port of this machine, for as long as the region lives."""

    def __init__(self, lock: threading.RLock, addresses: Addresses, metrics: Metrics, port: int) -> None:
        self._lock = lock
        self._metrics = metrics
        self.targets = Targets(lock, addresses)
        self._socket = _listen(port)
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.loop = asyncio.new_event_loop()
        self._server: uvicorn.Server | None = None
        self._changed: asyncio.Event | None = None
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready, addresses), name="load-balancer", daemon=True).start()
        ready.wait()

    def close(self) -> None:
        if self._server:
            self._server.should_exit = True

    def health_of(self, group: str, address: str) -> Health:
        return self.targets.health_of(group, address)

    health = health_of

    def register(self, group: str, address: str, port: int) -> None:
        """Register a target, as ECS does for a task that runs."""
        with self._lock:
            backend("elbv2").target_groups[group].targets[address] = {"Id": address, "Port": port}
        self._follow_now()

    def deregister(self, group: str, address: str, port: int) -> None:
        """Take a target out and let it finish what it is doing, for a short while."""
        with self._lock:
            known = backend("elbv2").target_groups.get(group)
            if known:
                known.targets.pop(address, None)
            self.targets.drain(group, address)
        self._follow_now()

    def drained(self, group: str, address: str) -> bool:
        """Whether a target that was taken out has no request left to finish."""
        return self.targets.drained(group, address)

    def route(self) -> Route | None:
        """Where requests go now: the default action of the first listener; None before there is one."""
        elb = backend("elbv2")
        for balancer in list(elb.load_balancers.values()):
            for listener in list(balancer.listeners.values()):
                for action in listener.default_actions:
                    group = elb.target_groups.get(_forward_to(action))
                    if group:
                        return Route(balancer, group)
        return None

    def _follow_now(self) -> None:
        self.loop.call_soon_threadsafe(lambda: self._changed.set() if self._changed else None)

    def _run(self, ready: threading.Event, addresses: Addresses) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._serve(ready, addresses))

    async def _serve(self, ready: threading.Event, addresses: Addresses) -> None:
        self._changed = asyncio.Event()
        forwarder = Forwarder(self.route, self.targets, addresses, self._metrics)
        config = uvicorn.Config(
            forwarder,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            timeout_keep_alive=60,
            http="httptools",
        )
        self._server = uvicorn.Server(config)
        follow = asyncio.create_task(self._follow())
        ready.set()
        await self._server.serve(sockets=[self._socket])
        follow.cancel()
        await forwarder.close()

    async def _follow(self) -> None:
        assert self._changed is not None
        counted = 0.0
        async with httpx.AsyncClient(
            trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        ) as client:
            while True:
                self.targets.follow(client)
                if time.monotonic() - counted > HOST_COUNT_EVERY:
                    counted = time.monotonic()
                    self.count_hosts()
                try:
                    await asyncio.wait_for(self._changed.wait(), FOLLOW)
                except TimeoutError:
                    continue
                self._changed.clear()

    def count_hosts(self) -> None:
        """Record how many targets are healthy now, and how many are not."""
        route = self.route()
        if route is None:
            return
        states = [target.health.state for target in self.targets.of(route.group.arn)]
        for name, state in (("HealthyHostCount", "healthy"), ("UnHealthyHostCount", "unhealthy")):
            self._metrics.record("AWS/ApplicationELB", name, route.dimensions, states.count(state), "Count")


def _forward_to(action: Any) -> str:
    """The target group of a listener's action, empty if it does not forward."""
    data = getattr(action, "data", action)
    if data.get("Type") != "forward":
        return ""
    if data.get("TargetGroupArn"):
        return str(data["TargetGroupArn"])
    groups = (data.get("ForwardConfig") or {}).get("TargetGroups") or [{}]
    return str(groups[0].get("TargetGroupArn", ""))


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        raise OutpostError(
            "port-in-use", f"port {port} on 127.0.0.1 is in use.", remedy="Choose another with --port."
        ) from error
    listener.listen(1024)
    return listener
