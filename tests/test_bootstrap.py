"""`./inv`: help for a task that requires an argument, which invoke alone would take for its value."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("asked", "shown"), [(["secrets.set", "--help"], "Give a secret a value"), (["--help"], "Usage: inv")]
)
def test_help(asked: list[str], shown: str) -> None:
    done = subprocess.run(["./inv", *asked], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert shown in done.stdout
