"""What a client may ask for, and the checks that need more than a type."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from outpost.agents import Agent

TASK_LENGTH = 50_000
CONTEXT_LENGTH = 50_000
TIMEOUT_SECONDS = (30, 86_400)
DEFAULT_TIMEOUT_SECONDS = 600
# These patterns stand in the OpenAPI document as they are: no look-ahead, anchored at both ends.
# A branch: what git check-ref-format takes (but for `.lock`) and no option parser mistakes for more.
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_@+-]|\.[A-Za-z0-9_@+-])*"
BRANCH = rf"^{_PART}(?:/{_PART})*$"
_HTTPS = r"https://[A-Za-z0-9.-]+(?::\d{1,5})?/[A-Za-z0-9._~/-]+"
_NAME = r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+"
_PATH = r"(?:file://)?/[!-~]{1,1000}"  # in the local region only
REPOSITORY = rf"^(?:{_HTTPS}|{_NAME}|{_PATH})$"
# http in the local region only; ports up to 64999.
WEBHOOK = r"^https?://[A-Za-z0-9.-]+(?::(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}))?(?:/[!-~]*)?$"


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
    parts = branch.split("/")
    return re.fullmatch(BRANCH[1:-1], branch) is not None and not any(
        part.endswith(".lock") for part in parts
    )


def repository_is_valid(repository: str, *, local: bool) -> bool:
    """`owner/name`, an https URL without credentials, or, in the local region only, a path."""
    allowed = f"{_HTTPS}|{_NAME}|{_PATH}" if local else f"{_HTTPS}|{_NAME}"
    return re.fullmatch(allowed, repository) is not None


def webhook_is_valid(url: str, *, local: bool) -> bool:
    """https, or http too in the local region, to a host, without credentials."""
    return re.fullmatch(WEBHOOK[1:-1], url) is not None and (local or url.startswith("https://"))
