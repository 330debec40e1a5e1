"""Reads of the reader's machine: files, processes and HTTP, without the key's text."""

import json
import os
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks import machine
from runbooks.looking import Absent, CouldNotLook

KEY = "otp_" + "cd" * 32


def write(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def test_a_configuration_gives_outposts_servers_and_no_secret(tmp_path: Path) -> None:
    path = write(
        tmp_path / "claude.json",
        {
            "mcpServers": {
                "other": {"command": "x", "env": {"TOKEN": "not-ours"}},
                "mcpify": {
                    "command": "/opt/mcpify/serve",
                    "args": ["--key", KEY],
                    "env": {"OUTPOST_API_URL": "${HOST:-http://a}", "OUTPOST_API_KEY": KEY, "TOKEN": "x"},
                },
            },
            "projects": {"/p": {"mcpServers": {"tools": {"env": {"OUTPOST_API_URL": "${HOST}"}}}}},
        },
    )
    found = machine.configuration(path, {"HOST": "http://b"})
    user, project = found["servers"]
    assert (user["name"], user["project"], user["paths"]) == ("mcpify", "", ["/opt/mcpify/serve"])
    assert user["env"] == {"OUTPOST_API_URL": "http://b", "OUTPOST_API_KEY": "set"}
    assert (project["name"], project["project"]) == ("tools", "/p")
    assert KEY not in json.dumps(found)
    assert machine.configuration(path, {})["servers"][0]["env"]["OUTPOST_API_URL"] == "http://a"


def test_a_configuration_that_is_not_there_is_absent_and_a_broken_one_could_not_be_read(
    tmp_path: Path,
) -> None:
    with pytest.raises(Absent):
        machine.configuration(tmp_path / "none.json", {})
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(CouldNotLook):
        machine.configuration(tmp_path / "broken.json", {})
    with pytest.raises(CouldNotLook):
        machine.configuration(tmp_path, {})


@pytest.mark.parametrize(
    "document",
    [[], {"mcpServers": []}, {"projects": 3}, {"mcpServers": {"a": 1, "outpost": {"env": None}}}],
)
def test_a_configuration_of_another_shape_is_read_without_a_crash(tmp_path: Path, document: object) -> None:
    assert len(machine.configuration(write(tmp_path / "c.json", document), {})["servers"]) <= 1


def test_the_version_of_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "outpost").mkdir()
    (tmp_path / "outpost" / "__init__.py").write_text('VERSION = "1.2.3"\n')
    assert machine.version(["~/inv"], tmp_path) == {"version": "1.2.3", "behind": 0.0}
    with pytest.raises(Absent):
        machine.version(["/nowhere/at/all"], tmp_path)


def test_a_build_older_than_its_source(tmp_path: Path) -> None:
    built, source = tmp_path / "dist" / "index.js", tmp_path / "src" / "index.ts"
    for file in (built, source):
        file.parent.mkdir()
        file.touch()
    os.utime(built, (1000, 1000))
    os.utime(source, (1600, 1600))
    assert machine.version([str(built)], tmp_path) == {"version": "", "behind": 600.0}
    os.utime(built, (2000, 2000))
    assert machine.version([str(built)], tmp_path)["behind"] == 0


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A process of a name of its own, which runs a server with settings."""
    name = f"a{os.getpid()}"
    program, server = tmp_path / name, tmp_path / "tools" / "server"
    server.parent.mkdir()
    server.write_text("#!/bin/sh\nwhile :; do sleep 1; done\n")
    program.write_text(f"#!/bin/sh\nOUTPOST_API_URL=http://old OUTPOST_API_KEY={KEY} {server} &\nwait\n")
    for file in (program, server):
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    environment = {**os.environ, "HOME": str(tmp_path)}
    process = subprocess.Popen([str(program)], start_new_session=True, env=environment)
    yield name, server
    os.killpg(process.pid, 9)
    process.wait()


@pytest.mark.skipif(not machine.PROCESSES.is_dir(), reason="the settings of processes are seen on Linux only")
def test_what_an_assistant_runs(assistant: tuple[str, Path]) -> None:
    name, server = assistant
    deadline = time.monotonic() + 10
    while not (found := machine.processes(name, [str(server)], server.parents[1]))["servers"]:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    assert found["assistants"]
    assert found["servers"][0]["pid"] > 0
    assert found["servers"][0]["env"] == {"OUTPOST_API_URL": "http://old", "OUTPOST_API_KEY": "set"}
    assert machine.processes(name, ["/another/server"], server.parents[1])["servers"] == []
    assert machine.processes(name, [str(server)], Path("/another"))["assistants"] == []


def test_a_gateway_error_is_asked_again_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [{"status": 502}, {"status": 200}, {"status": 502}, {"status": 504}, {"status": 200}]
    monkeypatch.setattr(machine, "_get", lambda url, headers: answers.pop(0))
    monkeypatch.setattr(machine, "AGAIN", 0.0)
    assert machine.http_get("http://a", {}) == {"status": 200}
    assert machine.http_get("http://a", {}) == {"status": 504}


def test_how_a_request_failed_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "HTTP_TIMEOUT", 0.2)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/health"
        assert machine.http_get(address, {})["failed"] == "refused"
        listener.listen()
        assert machine.http_get(address, {})["failed"] == "silent"
    assert machine.http_get("http://no-such-host.invalid/health", {})["failed"] in ("name", "connect")
    assert machine.http_get("not a url", {})["failed"]
