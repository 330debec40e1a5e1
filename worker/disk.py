"""A disk that the agent has filled: noticed, told, and emptied enough to save what there is."""

import errno
import shutil
from collections.abc import Iterable
from pathlib import Path

from outpost.failure import Failure

FULL_BELOW = 4 * 1024 * 1024  # bytes: less than this is no room for a log, a result and git's own files
_NUMBERS = (errno.ENOSPC, errno.EDQUOT)
_WORDS = ("No space left on device", "Disk quota exceeded")  # strerror(3), which git repeats


def is_full(directory: Path) -> bool:
    """Whether hardly anything can be written there any more."""
    try:
        return shutil.disk_usage(directory).free < FULL_BELOW
    except OSError:
        return False


def speaks_of_it(error: BaseException) -> bool:
    """Whether an error, the system's or git's, is about a full disk."""
    return (isinstance(error, OSError) and error.errno in _NUMBERS) or any(
        words in str(error) for words in _WORDS
    )


def failure(evidence: str) -> Failure:
    """The reason that a dispatch is given."""
    return Failure(
        code="disk-full",
        summary="The task's disk is full.",
        remedy="Let the task write less, or raise the tier's ephemeral storage (up to 200 GiB) and deploy.",
        evidence=evidence[:500],
    )


def empty(directories: Iterable[Path]) -> None:
    """Remove what is in these directories, and leave them as they are themselves."""
    for directory in directories:
        for entry in list(directory.iterdir()) if directory.is_dir() else []:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
