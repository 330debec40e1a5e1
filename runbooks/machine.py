"""Reads of the reader's own machine: HTTP, the client's files, and the processes that run from them.

An API key's text never becomes part of an answer, because answers are kept for reports and bundles.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runbooks.looking import Absent, Answer, CouldNotLook

HTTP_TIMEOUT = 5  # seconds, to connect and again to answer
GATEWAY_ERRORS = (502, 503, 504)  # a load balancer's, for a target that failed or is being replaced
AGAIN = 0.5  # seconds
TOLD = ("OUTPOST_API_URL", "OUTPOST_SSM_INSTANCE")  # variables whose values may be shown
SET = "set"  # what stands for the value of any other of Outpost's variables
_VERSION = re.compile(r'^VERSION = "([^"]+)"', re.MULTILINE)
_REFERENCE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_BUILT = ("dist", "build")  # folders that a build writes
PROCESSES = Path("/proc")


def http_get(url: str, headers: dict[str, str]) -> Answer:
    """As `_get`, and once more after a gateway error: a target that leaves may give one, and only one."""
    answer = _get(url, headers)
    if answer.get("status") not in GATEWAY_ERRORS:
        return answer
    time.sleep(AGAIN)
    return _get(url, headers)


def _get(url: str, headers: dict[str, str]) -> Answer:
    """Status, headers and body of a URL; where no answer came, `error` (words) and `failed`. Never raises.

    `failed` is how: `connect` (no connection in time, or no route), `refused`, `name` (no such host),
    `silent` (connected, no answer in time) or `other`.
    """
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connected = False
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=HTTP_TIMEOUT)
        with contextlib.closing(connection):
            connection.connect()
            connected = True
            connection.request("GET", parts.path or "/", headers=headers)
            answer = connection.getresponse()
            body = answer.read(65536).decode(errors="replace")
            sent = {name.lower(): value for name, value in answer.getheaders()}
            return {"status": answer.status, "headers": sent, "body": body}
    except TimeoutError:
        what = "connected, and no answer" if connected else "no connection"
        return {"error": f"{what} in {HTTP_TIMEOUT} s", "failed": "silent" if connected else "connect"}
    except ConnectionRefusedError:
        return {"error": "connection refused", "failed": "refused"}
    except socket.gaierror as error:
        return {"error": f"no such host ({error.strerror})", "failed": "name"}
    except (OSError, HTTPException, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        unreachable = isinstance(error, OSError) and not connected and error.errno is not None
        return {"error": words, "failed": "connect" if unreachable else "other"}


def configuration(path: Path, environment: Mapping[str, str]) -> Answer:
    """Outpost's MCP servers in a coding assistant's configuration, and when the file was changed.

    Each has `name`, `project` (empty for all projects), `paths` (those of its command line and folder),
    `url` (of one that is reached over HTTP) and `env`: Outpost's variables, with references to the
    environment filled in, and only the values of `TOLD`. Other servers, and what else the file holds, are
    left out.
    """
    try:
        document = json.loads(path.read_text())
        changed = path.stat().st_mtime
    except FileNotFoundError:
        raise Absent("client:Configuration", "NotFound", str(path)) from None
    except OSError as error:
        raise CouldNotLook("client:Configuration", "denied", str(error)) from error
    except ValueError:
        raise CouldNotLook("client:Configuration", "failed", f"{path} is not JSON") from None
    servers = [
        {**_server(name, entry, environment), "project": project}
        for name, entry, project in _entries(document)
        if _ours(name, entry)
    ]
    return {"servers": servers, "changed": changed}


def _entries(document: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Name, entry and project of the user's servers (no project), then of each project's."""
    if not isinstance(document, dict):
        return
    projects = document.get("projects")
    holders = [("", document), *(projects.items() if isinstance(projects, dict) else ())]
    for project, holder in holders:
        servers = holder.get("mcpServers") if isinstance(holder, dict) else None
        for name, entry in servers.items() if isinstance(servers, dict) else ():
            if isinstance(entry, dict):
                yield str(name), entry, str(project)


def _ours(name: str, entry: dict[str, Any]) -> bool:
    known = "outpost" in name.lower() or name.lower() == "mcpify"
    return known or any(str(variable).startswith("OUTPOST_") for variable in entry.get("env") or {})


def _server(name: str, entry: dict[str, Any], environment: Mapping[str, str]) -> Answer:
    def filled(value: object) -> str:
        return _REFERENCE.sub(lambda m: environment.get(m[1]) or m[2] or "", str(value))

    given = {
        str(key): filled(value)
        for key, value in (entry.get("env") or {}).items()
        if key.startswith("OUTPOST_")
    }
    words = [entry.get("cwd") or "", entry.get("command") or "", *(entry.get("args") or [])]
    return {
        "name": name,
        "paths": [str(word) for word in words if str(word).startswith(("/", "~"))],
        "url": filled(entry.get("url") or ""),
        "env": {key: _told(key, value) for key, value in given.items()},
    }


def _told(variable: str, value: str) -> str:
    return value if variable in TOLD else SET if value else ""


def version(paths: list[str], home: Path) -> Answer:
    """Of the checkout that one of the paths lies in: `version`, of Outpost's own, else empty; `behind`.

    `behind` is by how many seconds the newest source is younger than the built file that runs; 0 where
    nothing is built. Raises `Absent` when no path leads to a checkout.
    """
    for path in (expanded(path, home) for path in paths):
        for folder in (path, *path.parents):
            try:
                found = _VERSION.search((folder / "outpost" / "__init__.py").read_text())
            except OSError:
                continue
            if found:
                return {"version": found[1], "behind": 0.0}
        built = next((folder for folder in path.parents if folder.name in _BUILT), None)
        if built is not None and path.is_file() and (built.parent / "src").is_dir():
            sources = [file.stat().st_mtime for file in (built.parent / "src").rglob("*") if file.is_file()]
            return {"version": "", "behind": max(0.0, max(sources, default=0.0) - path.stat().st_mtime)}
    raise Absent("client:Version", "NotFound", "a checkout of the MCP server")


def expanded(path: str, home: Path) -> Path:
    """The path, with a leading `~` in this home directory."""
    return home / path[2:] if path.startswith("~/") else Path(path)


def processes(name: str, paths: list[str], home: Path) -> Answer:
    """When each running assistant (by process name) started, and the MCP servers that they run from paths.

    Another home directory's assistants read another configuration, and are left out.
    `assistants`: seconds since 1970. `servers`: `pid`, `started` and `env`, as `configuration` shows it.
    Settings of processes can be seen on Linux only, and only the reader's own: elsewhere there are no
    servers, and `visible` is False.
    """
    try:
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,etime=,comm="],
            capture_output=True,
            text=True,
            timeout=HTTP_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CouldNotLook("client:Processes", "failed", str(error)) from error
    now = time.time()
    rows = [line.split(maxsplit=3) for line in listed.stdout.splitlines()]
    assistants = {
        row[0]: now - _seconds(row[2])
        for row in rows
        if Path(row[3].strip()).name == name and _of_home(PROCESSES / row[0], home)
    }
    wanted = [expanded(path, home) for path in paths]
    servers = [
        {"pid": int(pid), "started": now - _seconds(elapsed), "env": given}
        for pid, parent, elapsed, _ in rows
        if parent in assistants and (given := _settings(PROCESSES / pid, wanted)) is not None
    ]
    return {"assistants": sorted(assistants.values()), "servers": servers, "visible": PROCESSES.is_dir()}


def _of_home(process: Path, home: Path) -> bool:
    """Whether a process works in this home directory; True when that cannot be seen."""
    try:
        pairs = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return True
    named = [Path(os.fsdecode(pair[5:])) for pair in pairs if pair.startswith(b"HOME=")]
    return not named or named[0] == home


def _settings(process: Path, wanted: list[Path]) -> dict[str, str] | None:
    """Outpost's variables of a process that runs from one of the paths; None for any other."""
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        pairs = (process / "environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None  # ended, of another user, or a system without /proc
    # A launcher may have replaced itself by an interpreter of its own folder.
    folders = tuple(f"{path.parent}/" for path in wanted if path.parent.name not in ("", "bin"))
    if not any(word in map(str, wanted) or word.startswith(folders) for word in words):
        return None
    given = dict(pair.split("=", 1) for pair in pairs if pair.startswith("OUTPOST_") and "=" in pair)
    return {key: _told(key, value) for key, value in given.items()}


def _seconds(elapsed: str) -> int:
    """Seconds of ps's `[[DD-]hh:]mm:ss`."""
    days, _, clock = elapsed.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = seconds * 60 + int(part)
    return int(days or 0) * 86400 + seconds
