"""Environments of the scanners' own: they pin libraries that are older than those of the project."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from infra.rendering import ROOT
from outpost.errors import OutpostError


def scanner(name: str, lock: Path) -> Path:
    """The scanner's program, in `.outpost/NAME`, made when it is missing or its lock file has changed.

    Raises `OutpostError` (`scanner-missing`) when it cannot be installed.
    """
    environment = ROOT / ".outpost" / name
    stamp = environment / ".locked"
    program = environment / "bin" / name
    if stamp.is_file() and stamp.read_bytes() == lock.read_bytes():
        return program
    sys.stderr.write(f"making {environment} (once)\n")
    python = str(environment / "bin" / "python")
    if uv := shutil.which("uv"):
        commands = [
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)],
            [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(lock)],
        ]
    else:
        venv.create(environment, with_pip=True, clear=True)
        commands = [
            [python, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(lock)]
        ]
    for command in commands:
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
            raise OutpostError(
                "scanner-missing",
                f"{name} could not be installed.",
                remedy="It needs a package index; see above.",
            )
    shutil.copyfile(lock, stamp)
    return program
