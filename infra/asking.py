"""Asks before something is changed."""

import sys

from outpost.errors import OutpostError


def agreed(question: str, *, yes: bool) -> bool:
    """Whether to go on. Raises `OutpostError` (`needs-yes`) where there is nobody to ask."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise OutpostError(
            "needs-yes", "Nobody is there to ask.", remedy="Give --yes to go on without asking."
        )
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
