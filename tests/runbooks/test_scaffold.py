"""The scaffold: what it writes passes the linters, the parity test and its own test."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from outpost.errors import OutpostError
from runbooks import scaffold

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The parts of the repository that the runbooks need."""
    for folder in ("outpost", "runbooks", "local", "tests/runbooks", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _run(checkout: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_issue_passes_everything(checkout: Path) -> None:
    written = scaffold.new("queue-backed-up", "consumer-stopped", root=checkout)
    assert all(path.exists() for path in written)
    _run(checkout, "-c", "from runbooks.guide import write; write()")
    _run(checkout, "-m", "tests.runbooks.faults.table")
    assert "`consumer-stopped`" in (checkout / "docs" / "TROUBLESHOOTING.md").read_text()
    assert "consumer-stopped" in (checkout / "docs" / "fault-matrix.md").read_text()
    _run(checkout, "-m", "ruff", "check", ".")
    _run(checkout, "-m", "ruff", "format", "--check", ".")
    tests = ("issues/test_queue_backed_up.py", "test_parity.py", "test_declarations.py", "test_run.py")
    _run(checkout, "-m", "pytest", "-n", "0", *(f"tests/runbooks/{name}" for name in tests))


def test_a_wrong_code_is_refused(checkout: Path) -> None:
    with pytest.raises(OutpostError, match="is not a code"):
        scaffold.new("Queue", "consumer-stopped", root=checkout)
    with pytest.raises(OutpostError, match="already"):
        scaffold.new("slow-responses", "consumer-stopped", root=checkout)
