"""The commit that images are built from, and the tag that follows from it."""

import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from outpost.errors import OutpostError

SHA_LENGTH = 12  # characters; unique in any repository of a size that one can build
# Stack files say which tag runs; they are no part of any image.
_CHANGES = ("git", "status", "--porcelain", "--", ".", ":(exclude)Pulumi.*.yaml")


def tag(root: Path, *, dirty: bool = False, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str:
    """The commit's SHA. With changes that are not committed, and `dirty`, with the time as well.

    Tags cannot be moved, so a tag has to say exactly what was built. Raises `OutpostError` (`dirty-tree`) for
    changes without `dirty`, and (`no-commit`) outside of a repository.
    """
    sha = _git(root, ("git", "rev-parse", f"--short={SHA_LENGTH}", "HEAD")).strip()
    changes = _git(root, _CHANGES).splitlines()
    if not changes:
        return sha
    if not dirty:
        raise OutpostError(
            "dirty-tree",
            f"{len(changes)} changes are not committed, such as {changes[0].split()[-1]}.",
            remedy="Commit them, or build them all the same with --dirty.",
        )
    return f"{sha}-dirty.{now():%Y%m%d%H%M%S}"


def _git(root: Path, command: Sequence[str]) -> str:
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OutpostError(
            "no-commit",
            f"git cannot tell the commit: {done.stderr.strip()}",
            remedy="Run it in a clone of the repository.",
        )
    return done.stdout
