"""Cloud Map's names: each is an address of this machine that forwards to the service's running tasks."""

import asyncio
import contextlib
import itertools
import re
import threading
from typing import TYPE_CHECKING

from local.aws.moto_app import backend
from local.fargate.addresses import Addresses

if TYPE_CHECKING:
    from local.ecs.api import Ecs

CHUNK = 65_536


class Discovery:
    """Replaces `NAME.NAMESPACE:PORT` in values by a forwarder's address, and runs these forwarders."""

    def __init__(
        self, lock: threading.RLock, ecs: "Ecs", addresses: Addresses, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._lock = lock
        self._ecs = ecs
        self._addresses = addresses
        self._loop = loop
        self._names: dict[str, str] = {}
        self._listening: set[tuple[str, int]] = set()
        self._turn = itertools.count()
        self._forwarding: set[asyncio.Task[None]] = set()  # the loop itself keeps no task alive

    def resolve(self, value: str) -> str:
        """`value` with the names of service discovery replaced; others stay as they are."""
        for service in list(backend("servicediscovery").services.values()):
            name = f"{service.name}.{self._namespace(service)}"
            if name not in value:
                continue
            address = self._names.setdefault(name, self._addresses.forwarder(len(self._names)))
            for port in re.findall(re.escape(name) + r":(\d+)", value):
                self._listen(service.arn, address, int(port))
            value = value.replace(name, address)
        return value

    def _namespace(self, service: object) -> str:
        cloud_map = backend("servicediscovery")
        namespace_id = getattr(service, "namespace_id", None) or (
            getattr(service, "dns_config", None) or {}
        ).get("NamespaceId")
        namespace = cloud_map.namespaces.get(namespace_id)
        return str(namespace.name) if namespace else ""

    def _listen(self, registry: str, address: str, port: int) -> None:
        if (address, port) in self._listening:
            return
        self._listening.add((address, port))

        async def serve() -> None:
            await asyncio.start_server(lambda r, w: self._forward(registry, port, r, w), address, port)

        asyncio.run_coroutine_threadsafe(serve(), self._loop).result(5)

    def _instances(self, registry: str) -> list[str]:
        """Addresses of the running tasks registered there, starting with another one each time."""
        with self._lock:
            names = {
                (service.cluster, service.name)
                for service in self._ecs.services.services.values()
                if any(
                    each.get("registryArn") == registry
                    for each in service.settings.get("serviceRegistries") or []
                )
            }
            running = [
                self._addresses.of(task.attachment.ip)
                for task in self._ecs.store.active()
                if (task.cluster, task.service) in names
                and task.last_status == "RUNNING"
                and task.attachment.ip
            ]
        first = next(self._turn) % len(running) if running else 0
        return running[first:] + running[:first]

    async def _forward(
        self, registry: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        current = asyncio.current_task()
        if current:
            self._forwarding.add(current)
            current.add_done_callback(self._forwarding.discard)
        for instance in self._instances(registry):
            try:
                theirs, ours = await asyncio.open_connection(instance, port)
            except OSError:
                continue
            await asyncio.gather(_copy(reader, ours), _copy(theirs, writer))
            ours.close()
            break
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
