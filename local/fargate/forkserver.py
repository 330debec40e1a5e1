"""A small process that starts containers: one fork each, from an interpreter with its imports done.

It is a process of its own because the daemon has threads: forking those is unsafe, and a child's
parent-death signal would follow the thread that forked it. Each container is a tree of its own:

    daemon - fork server - shim (adopts orphans, relays SIGTERM, kills what is left) - main process - ...

and every level dies with the one above it. Messages are JSON over a SOCK_SEQPACKET socket; a request
carries the write end of the container's output.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from typing import Any

from local.fargate import death

MESSAGE = 200_000  # bytes; a datagram of a Unix socket holds a little more
KILL = signal.SIGUSR1  # to a shim: kill the whole container


@dataclass(frozen=True)
class Start:
    """A container to start. `module` is run in the forked interpreter, else `argv` is executed."""

    id: str
    argv: list[str]
    module: str
    environment: dict[str, str]
    directory: str

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def main(descriptor: int, preload: list[str]) -> None:
    """Serve until the daemon goes; in a forked container's main process, become that container."""
    parent = os.getppid()
    death.die_with_parent(parent, signal.SIGTERM)
    death.adopt_orphans()
    for module in preload:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # shared pages stay shared: the collector does not touch what was loaded here
    start = _serve(socket.socket(fileno=descriptor))
    if start is None:
        death.kill_descendants()
        return
    if start.module:
        sys.argv = [start.module, *start.argv]
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        runpy.run_module(start.module, run_name="__main__", alter_sys=True)
        return
    try:
        os.execvpe(start.argv[0], start.argv, start.environment)  # noqa: S606 - argument list, no shell
    except OSError as error:
        print(f"exec {start.argv[0]}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(127)


def _serve(control: socket.socket) -> Start | None:
    """Handle requests and exits; returns in a container's main process, or None when the daemon has gone."""
    import selectors

    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    stopping: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    selector.register(wake_read, selectors.EVENT_READ)
    shims: dict[int, str] = {}
    while not stopping:
        for key, _ in selector.select():
            if key.fd == wake_read:
                os.read(wake_read, 4096)
                continue
            message, descriptors, _, _ = socket.recv_fds(control, MESSAGE, 1)
            if not message:
                return None
            start = Start(**json.loads(message))
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                selector.close()
                os.close(wake_read)
                os.close(wake_write)
                control.close()
                _shim(start, descriptors[0])
                return start
            os.close(descriptors[0])
            shims[pid] = start.id
            _tell(control, {"id": start.id, "pid": pid})
        _reap(control, shims)
    return None


def _reap(control: socket.socket, shims: dict[int, str]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid in shims:
            _tell(control, {"id": shims.pop(pid), "exit": _code(status)})


def _tell(control: socket.socket, message: dict[str, Any]) -> None:
    try:
        control.send(json.dumps(message).encode())
    except OSError:
        os.kill(os.getpid(), signal.SIGTERM)  # the daemon has gone


def _code(status: int) -> int:
    """A wait status as a shell or a container runtime reports it: 128 + n for signal n."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _shim(start: Start, output: int) -> None:
    """Fork the container's main process and see to its tree; returns only in that main process."""
    server = os.getppid()
    signals = {signal.SIGTERM, KILL}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    os.setsid()
    death.adopt_orphans()
    os.chdir(start.directory)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(null)
    os.close(output)
    shim = os.getpid()
    main_process = os.fork()
    if main_process == 0:
        os.setpgid(0, 0)
        death.die_with_parent(shim)
        for number in (*signals, signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        os.environ.clear()
        os.environ.update(start.environment)
        return
    os.close(1)  # only the container holds its output: end of file means that it has ended
    os.close(2)
    signal.signal(signal.SIGTERM, lambda *_: _signal(main_process, signal.SIGTERM))
    signal.signal(KILL, lambda *_: _signal(main_process, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    death.die_with_parent(server, KILL)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == main_process:
            break
    death.kill_descendants()
    os._exit(_code(status))


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
