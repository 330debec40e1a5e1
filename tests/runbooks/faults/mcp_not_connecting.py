"""Faults of the coding assistant's side: its configuration, what is installed, what runs."""

import json
import os
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

from outpost import VERSION
from runbooks.machine import processes
from runbooks.observations.client import ASSISTANT
from tests.runbooks.faults.stack import STEADY, Fault, Stack

NAME = "mcpify"


def _home(stack: Stack) -> Path:
    """A home directory of its own for the reader, until the fault is taken away."""
    home = Path(stack.undo.enter_context(tempfile.TemporaryDirectory()))
    stack.environment["HOME"] = str(home)
    return home


def _checkout(home: Path, version: str = VERSION) -> Path:
    """A checkout of Outpost with a program that serves for ever; the program."""
    (home / "checkout" / "outpost").mkdir(parents=True)
    (home / "checkout" / "outpost" / "__init__.py").write_text(f'VERSION = "{version}"\n')
    return _program(home / "checkout" / "serve", "while :; do sleep 1; done")


def _program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def _configure(home: Path, server: Path, **environment: str) -> None:
    entry = {"command": str(server), "args": [], "env": environment}
    (home / ".claude.json").write_text(json.dumps({"mcpServers": {NAME: entry}}))


def wrong_endpoint(stack: Stack) -> None:
    home = _home(stack)
    _configure(home, _checkout(home), OUTPOST_API_URL="http://127.0.0.1:9")


def old_ssm_config(stack: Stack) -> None:
    home = _home(stack)
    url = stack.region.api_url
    _configure(home, _checkout(home), OUTPOST_API_URL=url, OUTPOST_SSM_INSTANCE="i-0123456789abcdef0")


def server_not_rebuilt(stack: Stack) -> None:
    home = _home(stack)
    _configure(home, _checkout(home, "1.0.0"), OUTPOST_API_URL=stack.region.api_url)


def client_not_restarted(stack: Stack) -> None:
    """The assistant started its server; then the configuration got another address."""
    home = _home(stack)
    server = _checkout(home)
    started = _program(home / ASSISTANT, f"OUTPOST_API_URL=http://127.0.0.1:9 {server} &\nwait")
    assistant = subprocess.Popen(
        [str(started)], start_new_session=True, env={**os.environ, "HOME": str(home)}
    )
    stack.undo.callback(assistant.wait)
    stack.undo.callback(os.killpg, assistant.pid, signal.SIGKILL)
    stack.region.wait_for(lambda: processes(ASSISTANT, [str(server)], home)["servers"], STEADY, "the server")
    _configure(home, server, OUTPOST_API_URL=stack.region.api_url)


FAULTS = (
    Fault("mcp-not-connecting/wrong-endpoint", wrong_endpoint),
    Fault("mcp-not-connecting/old-ssm-config", old_ssm_config),
    Fault("mcp-not-connecting/server-not-rebuilt", server_not_rebuilt),
    Fault("mcp-not-connecting/client-not-restarted", client_not_restarted),
)
