"""The images' recipe: pinned, locked, not root, and without the rehearsal."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from outpost.agents import Agent

ROOT = Path(__file__).parents[1]
IMAGES = ("control-plane", "worker-base", *Agent)


@dataclass
class Stage:
    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)


def stages() -> dict[str, Stage]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    found: dict[str, Stage] = {}
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found[name] = Stage(name, base)
        else:
            list(found.values())[-1].instructions.append((word, rest.strip()))
    return found


STAGES = stages()


def lineage(name: str) -> list[Stage]:
    """The stage and the stages below it, the base first."""
    stage = STAGES[name]
    return [*(lineage(stage.base) if stage.base in STAGES else []), stage]


def instructions(name: str, word: str) -> list[str]:
    return [rest for stage in lineage(name) for found, rest in stage.instructions if found == word]


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_bases_are_pinned_to_an_exact_version(stage: Stage) -> None:
    assert stage.base in STAGES or re.fullmatch(
        r"[a-z]+:\d+\.\d+\.\d+-[a-z-]+(@sha256:[0-9a-f]{64})?", stage.base
    )


@pytest.mark.parametrize("image", IMAGES)
def test_no_image_runs_as_root(image: str) -> None:
    assert instructions(image, "USER")[-1] == "10001:10001"


@pytest.mark.parametrize("image", IMAGES)
def test_every_image_says_how_its_health_is_told(image: str) -> None:
    assert instructions(image, "HEALTHCHECK")


@pytest.mark.parametrize("image", IMAGES)
def test_commands_are_exec_form_so_that_sigterm_arrives(image: str) -> None:
    expected = "service" if image == "control-plane" else "worker"
    assert json.loads(instructions(image, "CMD")[-1]) == ["python", "-m", expected]
    assert not instructions(image, "ENTRYPOINT")


def test_what_is_installed_is_locked() -> None:
    for name in STAGES:
        for command in instructions(name, "RUN"):
            if "pip install" in command:
                assert "--require-hashes" in command
            if "npm " in command:
                assert "npm ci " in command


@pytest.mark.parametrize("agent", [Agent.CLAUDE, Agent.CODEX, Agent.GEMINI, Agent.GROK])
def test_npm_locks_have_an_integrity_for_every_package(agent: Agent) -> None:
    lock = json.loads((ROOT / "images" / agent / "package-lock.json").read_text())
    asked = json.loads((ROOT / "images" / agent / "package.json").read_text())["dependencies"]
    assert lock["packages"][""]["dependencies"] == asked
    for name, package in lock["packages"].items():
        if name:
            assert package["integrity"].startswith("sha512-"), name
            assert "resolved" not in package


@pytest.mark.parametrize("agent", Agent)
def test_every_agent_has_an_image_with_its_command_line(agent: Agent) -> None:
    copies = instructions(agent, "COPY")
    assert any(f"--from={agent}-cli" in copy for copy in copies)
    assert any(f"OUTPOST_AGENT={agent}" in line for line in instructions(agent, "ENV"))


def test_no_secret_is_baked_in() -> None:
    for name in STAGES:
        for word in ("ENV", "ARG"):
            assert not re.search(r"(KEY|TOKEN|SECRET|PASSWORD)=", " ".join(instructions(name, word)))


def test_the_rehearsal_is_neither_in_the_context_nor_in_an_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {"*", "worker/rehearsal.py", "worker/rehearsals/"} <= set(ignored)
    assert "rm -rf worker/rehearsal.py worker/rehearsals" in instructions("sources", "RUN")[0]
    for image in IMAGES:
        assert not any(copy.startswith("worker") for copy in instructions(image, "COPY"))


def test_the_worker_runs_without_the_rehearsal(tmp_path: Path) -> None:
    for part in ("outpost", "worker"):
        shutil.copytree(
            ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("rehears*", "__pycache__")
        )
    loaded = subprocess.run(
        [sys.executable, "-c", "import worker.__main__, worker.agents, sys; print(*sys.modules)"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "worker.attempt" in loaded
    assert not any(module.startswith("worker.rehears") for module in loaded)


def test_the_workers_image_needs_no_packages() -> None:
    loaded = subprocess.run(
        [sys.executable, "-S", "-E", "-c", "import worker.__main__, sys; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "worker.attempt" in loaded  # without site-packages: nothing but the standard library is there


def _imported(part: str) -> set[str]:
    """Top-level modules that a part imports when it runs; not what only the type checker sees."""
    found: set[str] = set()
    for path in (ROOT / part).rglob("*.py"):
        tree = ast.parse(path.read_text())
        for block in [node for node in ast.walk(tree) if isinstance(node, ast.If)]:
            if ast.unparse(block.test) == "TYPE_CHECKING":
                block.body = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found


def test_the_control_planes_lock_has_what_it_imports() -> None:
    lock = (ROOT / "images" / "service.lock").read_text()
    locked = {name.lower() for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}
    owners = packages_distributions()
    foreign = (_imported("service") | _imported("outpost")) - set(sys.stdlib_module_names)
    missing = {
        module
        for module in foreign - {"service", "outpost"}
        if not {owner.lower().replace("_", "-") for owner in owners.get(module, [])} & locked
    }
    assert missing == set()


@pytest.mark.parametrize("image", ["control-plane", *Agent])
def test_what_calls_git_has_git(image: str) -> None:
    """The control plane promotes with it, a worker clones with it; Python's slim images have none."""
    installed = " ".join(instructions(image, "RUN")).split()
    assert {"git", "ca-certificates"} <= set(installed)
