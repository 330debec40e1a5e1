"""Commands for what a person has to do, with this stack's own ids in them, ready to be copied.

A word in capitals (TASK, BRANCH, CIDR) is what only the reader knows.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from typing import Any

from runbooks.looking import Absent, CouldNotLook
from runbooks.observations import Region
from runbooks.observations.dispatches import Job

_KEY = '-H "X-API-Key: $OUTPOST_API_KEY"'
_JSON = "-H 'Content-Type: application/json'"
TASK = "TASK"  # stands for the task's text, which diagnosing does not read


def inv(region: Region, *words: str) -> str:
    """One of Outpost's own tasks, on the stack that was looked at."""
    return " ".join(["./inv", *words, *region.target.flags])


def dispatch_again(region: Region, job: Job, **changes: Any) -> str:
    """The same dispatch once more; `changes` replace what was asked for, None leaves it out."""
    asked = {"agent": job.raw.get("agent"), "task": TASK}
    asked |= {name: job.raw[name] for name in ("repository", "branch", "model") if job.raw.get(name)}
    body = {name: value for name, value in (asked | changes).items() if value is not None}
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return f"curl -s {_url(region)}/dispatch {_KEY} {_JSON} -d {shlex.quote(text)}"


def read_log(region: Region, job: Job) -> str:
    """What the dispatch's agent said, whole."""
    return f"curl -s {_url(region)}/dispatch/{job.id}/logs {_KEY}"


def try_key(region: Region) -> str:
    """A request with the reader's key as the API takes it."""
    return f"curl -s {_url(region)}/fleet {_KEY}"


def branches(job: Job) -> str:
    """Which branches there are of the repository that the dispatch named."""
    return f"git ls-remote --heads {shlex.quote(clone_url(job))}"


def clone_url(job: Job) -> str:
    """The repository as git takes it: `owner/name` is one of GitHub's."""
    given = str(job.raw.get("repository") or "REPOSITORY")
    return f"https://github.com/{given}" if re.fullmatch(r"[\w.-]+/[\w.-]+", given) else given


def scopes(region: Region, key: str, given: Iterable[str]) -> str:
    """Give a key these scopes and no others."""
    return inv(region, "keys.scopes", "--key", key, "--scopes", ",".join(sorted(set(given))))


def _url(region: Region) -> str:
    """Where the API is, or the variable that says so where that cannot be seen."""
    try:
        return region.balancer.url()
    except (Absent, CouldNotLook):
        return "$OUTPOST_API_URL"
