"""The house rules of the code base that a program can check."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_imports_point_down() -> None:
    run = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


def test_nothing_imports_the_tasks() -> None:
    parts = ("outpost", "infra", "service", "worker", "runbooks", "local")
    offenders = [
        str(path.relative_to(ROOT))
        for part in parts
        for path in (ROOT / part).rglob("*.py")
        if "import tasks" in path.read_text() or "from tasks" in path.read_text()
    ]
    assert offenders == []
