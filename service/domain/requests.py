"""What a client may ask for, and the checks that need more than a type."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from outpost.agents import Agent
from service.domain.keys import repository_name

TASK_LENGTH = 50_000
CONTEXT_LENGTH = 50_000
TIMEOUT_SECONDS = (30, 86_400)
DEFAULT_TIMEOUT_SECONDS = 600
# A ref name that git check-ref-format takes, and that no shell or option parser can mistake for more.
_BRANCH = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)|\.$))[A-Za-z0-9_][A-Za-z0-9._/@+-]{0,254}(?<![/.])")
_HTTPS = re.compile(r"https://[A-Za-z0-9.-]+(?::\d{1,5})?/[A-Za-z0-9._~/-]+")
_LOCAL = re.compile(r"(?:file://)?/[^\x00-\x1f]{1,1000}")


@dataclass(frozen=True, kw_only=True)
class DispatchRequest:
    """A validated request."""

    agent: Agent
    task: str
    repository: str | None = None
    branch: str | None = None
    model: str | None = None
    context: str | None = None
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS
    workspace: str = "ephemeral"
    workspace_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    webhook_url: str | None = None


def branch_is_valid(branch: str) -> bool:
    return _BRANCH.fullmatch(branch) is not None


def repository_is_valid(repository: str, *, local: bool) -> bool:
    """`owner/name`, an https URL without credentials, or, in the local region only, a path."""
    if repository_name(repository) is not None:
        return True
    if _HTTPS.fullmatch(repository) is not None and ".." not in repository:
        return True
    return local and _LOCAL.fullmatch(repository) is not None


def webhook_is_valid(url: str, *, local: bool) -> bool:
    """https, or http too in the local region, to a host, without credentials."""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return False
    schemes = ("https", "http") if local else ("https",)
    return parts.scheme in schemes and bool(parts.hostname) and port_is_valid and "@" not in parts.netloc
