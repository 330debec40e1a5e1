"""The daemon's side of the fork server: start a container, signal it, learn of its exit."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from local.fargate.forkserver import KILL, MESSAGE, Start
from outpost.errors import OutpostError

log = logging.getLogger(__name__)
ANSWERS_WITHIN = 30.0  # seconds; a fork takes milliseconds, but machines are shared
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Process:
    """A started container. `pid` is its shim's; the program is the shim's first child."""

    id: str
    on_exit: Callable[[int], None]
    pid: int = 0
    started: threading.Event = field(default_factory=threading.Event)
    abandoned: bool = False  # its start was given up: should it come all the same, it goes at once

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(KILL)

    def _send(self, number: int) -> None:
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return


class Processes:
    """All containers of the region. Exits are told from a thread of its own."""

    def __init__(self, preload: tuple[str, ...]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        self._sending = threading.Lock()
        self._processes: dict[str, Process] = {}
        # The caller's thread must live as long as the daemon: the server dies with it (see `death`).
        self._server = subprocess.Popen(
            [sys.executable, "-m", "local.fargate.forkserver", str(theirs.fileno()), *preload],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        threading.Thread(target=self._listen, name="processes", daemon=True).start()

    def start(self, start: Start, output: int, on_exit: Callable[[int], None]) -> Process:
        """Start a container that writes to the descriptor `output`, which is closed here.

        `on_exit` gets the exit code, 128+n for a death by signal n. Raises `OutpostError` when the request
        cannot be sent (an environment larger than a message) or the fork server has gone.
        """
        process = Process(start.id, on_exit)
        self._processes[start.id] = process
        message = start.encode()
        try:
            if len(message) > MESSAGE:
                raise OutpostError("environment-too-large", "the container's environment is too large.")
            with self._sending:
                socket.send_fds(self._control, [message], [output])
        except OSError as error:
            raise OutpostError("fork-server-gone", f"the fork server cannot be reached: {error}") from error
        finally:
            os.close(output)
        if not process.started.wait(ANSWERS_WITHIN):
            process.abandoned = True
            raise OutpostError("fork-server-gone", "the fork server did not answer.")
        return process

    def close(self) -> None:
        """Kill every container and the fork server."""
        self._server.terminate()
        try:
            self._server.wait(5)
        except subprocess.TimeoutExpired:
            self._server.kill()

    def _listen(self) -> None:
        while True:
            try:
                message = self._control.recv(MESSAGE)
            except OSError:
                return
            if not message:
                return
            told = json.loads(message)
            process = self._processes[told["id"]]
            if "pid" in told:
                process.pid = told["pid"]
                process.started.set()
                if process.abandoned:
                    process.kill()
            else:
                del self._processes[told["id"]]
                process.on_exit(told["exit"])
