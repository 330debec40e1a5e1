"""A real repository, a stub control plane, and a worker started as its container would start it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.stub import TOKEN, StubControlPlane

ROOT = Path(__file__).parents[2]


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@localhost", "-c", "init.defaultBranch=main")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=directory, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two commits on main and another branch."""
    path = tmp_path / "origin"
    path.mkdir()
    git(path, "init", "--quiet")
    (path / "README.md").write_text("# A project\n")
    (path / "logo.bin").write_bytes(bytes(range(256)))
    git(path, "add", ".")
    git(path, "commit", "--quiet", "-m", "Start")
    git(path, "checkout", "--quiet", "-b", "feature")
    (path / "feature.txt").write_text("only here\n")
    git(path, "add", ".")
    git(path, "commit", "--quiet", "-m", "Feature")
    git(path, "checkout", "--quiet", "main")
    return path


class Worker:
    """A worker process and the control plane that it talks to."""

    def __init__(self, directory: Path, control: StubControlPlane, environment: dict[str, str]) -> None:
        self.control = control
        self.directory = directory
        self.output = directory / "stdout"
        self._sink = self.output.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "worker"],
            cwd=directory,
            env=environment,
            stdout=self._sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait(self, timeout: float = 60) -> int:
        return self.process.wait(timeout)

    def wait_for(self, text: str) -> None:
        """Until the log has this text."""
        self.wait_until(lambda: text in self.log)

    def wait_until(self, condition: Callable[[], bool], timeout: float = 60) -> None:
        give_up = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < give_up, self.log
            assert self.process.poll() is None, self.log
            time.sleep(0.02)

    @property
    def log(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def stored(self) -> dict[str, bytes]:
        return self.control.stored

    @property
    def result(self) -> dict[str, Any]:
        assert self.control.result is not None, self.log
        return self.control.result

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._sink.close()
        self.control.close()


StartWorker = Callable[..., Worker]


@pytest.fixture
def start(tmp_path: Path, repository: Path) -> Iterator[StartWorker]:
    """Starts workers: assignment fields as keywords, `env` for the container's environment."""
    started: list[Worker] = []

    def start_worker(
        *, env: dict[str, str] | None = None, answer: Any = None, agent: str = "claude", **assignment: Any
    ) -> Worker:
        control = StubControlPlane({"repository": str(repository), "agent": agent} | assignment)
        if answer:
            control.answer = answer
        directory = tmp_path / f"task-{len(started)}"
        directory.mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "OUTPOST_LOCAL_REGION": "1",
            "OUTPOST_AGENT": agent,
            "OUTPOST_CONTROL_URL": control.url,
            "OUTPOST_DISPATCH_ID": control.assignment["dispatchId"],
            "OUTPOST_ATTEMPT": "1",
            "OUTPOST_WORKER_TOKEN": TOKEN,
            "ANTHROPIC_API_KEY": "key-of-the-agent-1234",
            "OPENAI_API_KEY": "key-of-the-agent-1234",
            "GEMINI_API_KEY": "key-of-the-agent-1234",
            "DEEPSEEK_API_KEY": "key-of-the-agent-1234",
            "XAI_API_KEY": "key-of-the-agent-1234",
        } | (env or {})
        worker = Worker(directory, control, {name: value for name, value in environment.items() if value})
        started.append(worker)
        return worker

    yield start_worker
    for worker in started:
        worker.close()
