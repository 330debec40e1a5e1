"""Reads of the reader's own machine: HTTP, files and processes."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from runbooks.looking import Absent, Answer, CouldNotLook

HTTP_TIMEOUT = 5  # seconds
_VERSION = re.compile(r'^VERSION = "([^"]+)"', re.MULTILINE)


def http_get(url: str, headers: dict[str, str]) -> Answer:
    """Status, headers and body of a URL; `error` instead where no answer came. Never raises."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=HTTP_TIMEOUT)
        with contextlib.closing(connection):
            connection.request("GET", parts.path or "/", headers=headers)
            answer = connection.getresponse()
            body = answer.read(65536).decode(errors="replace")
            sent = {name.lower(): value for name, value in answer.getheaders()}
            return {"status": answer.status, "headers": sent, "body": body}
    except TimeoutError:
        return {"error": f"no answer in {HTTP_TIMEOUT} s"}
    except (OSError, HTTPException, ValueError) as error:
        return {"error": getattr(error, "strerror", None) or str(error) or type(error).__name__}


def configuration(path: Path) -> Answer:
    """A client's JSON configuration file: `servers` with their environment, and when it was changed."""
    try:
        text = path.expanduser().read_text()
        changed = path.expanduser().stat().st_mtime
    except FileNotFoundError:
        raise Absent("client:Configuration", "NotFound", str(path)) from None
    except OSError as error:
        raise CouldNotLook("client:Configuration", "denied", str(error)) from error
    try:
        servers = json.loads(text).get("mcpServers", {})
    except (ValueError, AttributeError):
        raise CouldNotLook("client:Configuration", "failed", f"{path} is not a JSON object") from None
    return {"servers": servers, "changed": changed}


def version(paths: list[str]) -> Answer:
    """The version of the checkout that one of the paths lies in. Raises `Absent` when none does."""
    for path in paths:
        here = Path(path).expanduser()
        for folder in (here, *here.parents):
            try:
                found = _VERSION.search((folder / "outpost" / "__init__.py").read_text())
            except OSError:
                continue
            if found:
                return {"version": found[1]}
    raise Absent("client:Version", "NotFound", "a checkout of Outpost")


def processes(name: str) -> Answer:
    """When each running process of a name started, in seconds since 1970. POSIX only."""
    try:
        listed = subprocess.run(
            ["ps", "-A", "-o", "etime=,comm="],
            capture_output=True,
            text=True,
            timeout=HTTP_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CouldNotLook("client:Processes", "failed", str(error)) from error
    now = time.time()
    started = []
    for line in listed.stdout.splitlines():
        elapsed, _, command = line.strip().partition(" ")
        if Path(command.strip()).name == name:
            started.append(now - _seconds(elapsed))
    return {"started": started}


def _seconds(elapsed: str) -> int:
    """Seconds of ps's `[[DD-]hh:]mm:ss`."""
    days, _, clock = elapsed.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = seconds * 60 + int(part)
    return int(days or 0) * 86400 + seconds
