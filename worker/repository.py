"""Which repository a worker may clone."""

import re
from urllib.parse import urlsplit

from outpost.errors import OutpostError

_SHORTHAND = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
_SSH = re.compile(r"(?:ssh://)?git@([A-Za-z0-9.-]+)[:/](.+)")


def address(repository: str, *, local_region: bool) -> str:
    """The URL that git is given. Raises `OutpostError` (`repository-not-allowed`).

    `owner/name` means GitHub, and an SSH address is turned into its HTTPS form (a worker has no SSH key).
    Paths and file:// exist only in the local region: in a container they could name only its own files.
    """
    if local_region and (repository.startswith(("/", "file:///", "http://"))):
        return repository
    if _SHORTHAND.fullmatch(repository):
        return f"https://github.com/{repository}"
    if ssh := _SSH.fullmatch(repository):
        repository = f"https://{ssh[1]}/{ssh[2]}"
    parts = urlsplit(repository)
    if parts.scheme != "https" or not parts.hostname or any(c.isspace() for c in repository):
        raise OutpostError(
            "repository-not-allowed",
            f"{repository!r} is not a repository that a worker may clone.",
            remedy="Use an https:// URL, or owner/name for GitHub.",
        )
    return repository
